"""Observed performance: the figures over what the learner knows, and the way in for calls decided elsewhere.

Figures are read from the learned state alone, so they cost the same whatever the history (at most about 240 additions
per key); only `recent_decisions` reads the log. A window counts whole time buckets: see `Knowledge.sums`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tiercel.core.statistics.fold import OVERALL, Key, model_key, segment_model_key
from tiercel.core.statistics.sums import Sums
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.events import Outcome
from tiercel.domain.names import name_problem
from tiercel.domain.performance import (
    AgentMetrics,
    CallMetrics,
    DecisionSummary,
    LatencyMetrics,
    ModelMetrics,
    PerformanceReport,
    SuccessMetrics,
    TimeRange,
)
from tiercel.domain.request import agent_segment
from tiercel.ports import DecisionRecord
from tiercel.services.deciding.router import REQUESTED
from tiercel.services.delivering.pending import Pending
from tiercel.services.ids import new_decision_id
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.intake import outcome_problems

TOP_MODELS = 10
RECENT_DECISIONS = 100
_TICK = timedelta(microseconds=1)
_COARSE = timedelta(seconds=1)


class Performance:
    """What models' calls did: per model, per agent and overall; over all time, or over a `time_range`.

    Time ranges are the names of `TimeRange`; another raises `InvalidInput`. What nothing is known of has 0 requests
    and None for every rate and mean.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self._lock = threading.Lock()
        self._recorded_at = learner.clock.now() - _COARSE

    def latency_metrics(
        self, model_id: str | None = None, agent_id: str | None = None, *, time_range: str | None = None
    ) -> LatencyMetrics:
        """How long successful calls took: all, a model's, an agent's, or a model's for an agent."""
        return _latency(self._sums(_key(model_id, agent_id), time_range))

    def success_metrics(
        self, model_id: str | None = None, agent_id: str | None = None, *, time_range: str | None = None
    ) -> SuccessMetrics:
        """How many calls succeeded: of all, a model's, an agent's, or a model's for an agent."""
        return _success(self._sums(_key(model_id, agent_id), time_range))

    def overall_metrics(self, *, time_range: str | None = None) -> CallMetrics:
        """Everything measured of all calls."""
        return call_metrics(self._sums(OVERALL, time_range))

    def model_metrics(self, model_id: str, *, time_range: str | None = None) -> ModelMetrics:
        """Everything measured of a model's calls."""
        return ModelMetrics(model_id=model_id, **_figures(self._sums(model_key(model_id), time_range)))

    def agent_metrics(self, agent_id: str, *, time_range: str | None = None) -> AgentMetrics:
        """Everything measured of the calls made for an agent."""
        return AgentMetrics(agent_id=agent_id, **_figures(self._sums(agent_segment(agent_id), time_range)))

    def top_models(self, limit: int = TOP_MODELS, *, time_range: str | None = None) -> list[ModelMetrics]:
        """The best models that were called: by success rate times mean match score.

        Models whose calls had no match score come last, by success rate. Ties go to the more often called, then by id.
        """
        known = (model_id for _, model_id in self.learner.knowledge.keys(("model",)))
        metrics = (self.model_metrics(model_id, time_range=time_range) for model_id in known)
        return sorted((model for model in metrics if model.total_requests), key=_rank)[: max(limit, 0)]

    def metrics(self, *, time_range: str | None = None, limit: int = TOP_MODELS) -> PerformanceReport:
        """Latency, success and the `limit` best models; `to_dict()` gives the published JSON."""
        overall = self._sums(OVERALL, time_range)
        top = tuple(self.top_models(limit, time_range=time_range))
        return PerformanceReport(latency=_latency(overall), success_rate=_success(overall), top_models=top)

    def recent_decisions(self, limit: int = RECENT_DECISIONS) -> list[DecisionSummary]:
        """The newest decisions and what their calls did, newest first. Reads the log: one look-up per decision.

        Raises `StoreError` when the log cannot be read.
        """
        store = self.learner.store
        records = (store.decision(decision.id) for decision in store.recent_decisions(limit))
        return [_summary(record) for record in records if record is not None]

    def begin_decision(
        self,
        *,
        agent_id: str,
        model_id: str,
        match_score: float | None,
        latency_ms: float,
        success: bool,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost_usd: float | None = None,
    ) -> Pending[str]:
        """Record a call that was decided elsewhere; gives the decision id once it is durable and learned.

        `match_score` is the capability match (0..100) the model was chosen with, None where there was none. The id
        takes feedback like any decision's. Raises `InvalidInput` with every problem, `BufferFull`.
        """
        names = (("agent_id", agent_id), ("model_id", model_id))
        problems = [problem for name, value in names if (problem := name_problem(name, value))]
        problems += _call_problems(match_score, success)
        problems += outcome_problems(latency_ms, prompt_tokens, completion_tokens, cost_usd)
        if problems:
            raise InvalidInput(problems)
        decision = _decided_elsewhere(agent_id, model_id, match_score, self._next_moment())
        outcome = Outcome(
            decision_id=decision.id,
            recorded_at=decision.decided_at,
            segment=decision.segment,
            model=model_id,
            tier="",
            success=success,
            latency_ms=latency_ms,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cost_usd,
            agent_id=agent_id,
            match_score=match_score,
        )
        return Pending(self.learner.send(decision, outcome), lambda _: decision.id)

    def _next_moment(self) -> datetime:
        """Now, but after the last: calls recorded one after another stay in order where the clock does not move."""
        with self._lock:
            now, last = self.learner.clock.now(), self._recorded_at
            # further behind, the clock was stepped back
            self._recorded_at = last + _TICK if timedelta(0) <= last - now < _COARSE else now
            return self._recorded_at

    def _sums(self, key: Key, time_range: str | None) -> Sums:
        since_s = None
        if time_range is not None:
            since_s = self.learner.clock.now().timestamp() - TimeRange.parse(time_range).window_s
        return self.learner.knowledge.sums(key, since_s=since_s)


def _key(model_id: str | None, agent_id: str | None) -> Key:
    if agent_id is None:
        return OVERALL if model_id is None else model_key(model_id)
    segment = agent_segment(agent_id)
    return segment if model_id is None else segment_model_key(segment, model_id)


def _latency(sums: Sums) -> LatencyMetrics:
    return LatencyMetrics(
        min=sums.min_latency_ms,
        max=sums.max_latency_ms,
        avg=sums.mean_latency_ms,
        p50=sums.latency_quantile_ms(0.50),
        p95=sums.latency_quantile_ms(0.95),
        p99=sums.latency_quantile_ms(0.99),
        count=sums.successes,
    )


def _success(sums: Sums) -> SuccessMetrics:
    return SuccessMetrics(
        total_requests=sums.requests,
        successful_requests=sums.successes,
        failed_requests=sums.failures,
        success_rate=sums.success_rate,
    )


def call_metrics(sums: Sums) -> CallMetrics:
    """The figures of the calls in `sums`."""
    return CallMetrics(**_figures(sums))


def _figures(sums: Sums) -> dict[str, Any]:
    return {
        "success": _success(sums),
        "latency": _latency(sums),
        "avg_match_score": sums.mean_match_score,
        "prompt_tokens": sums.prompt_tokens,
        "completion_tokens": sums.completion_tokens,
        "cost_usd": sums.cost_usd if sums.costed else None,
    }


def _rank(model: ModelMetrics) -> tuple[float, float, int, str]:
    merit = -1.0 if model.merit is None else model.merit
    return -merit, -(model.success_rate or 0.0), -model.total_requests, model.model_id


def _summary(record: DecisionRecord) -> DecisionSummary:
    decision, outcome = record.decision, _answer(record.outcomes)
    if outcome is None:
        return DecisionSummary(
            decision_id=decision.id, timestamp=decision.decided_at, agent_id=decision.agent_id, model_id=decision.model
        )
    return DecisionSummary(
        decision_id=decision.id,
        timestamp=decision.decided_at,
        agent_id=decision.agent_id,
        model_id=outcome.model,
        match_score=outcome.match_score,
        latency_ms=outcome.latency_ms,
        success=outcome.success,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        cost_usd=outcome.cost_usd,
    )


def _answer(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The call that answered, or the last that failed."""
    return max(outcomes, key=lambda outcome: (outcome.success, outcome.recorded_at), default=None)


def _decided_elsewhere(agent_id: str, model_id: str, match_score: float | None, now: datetime) -> Decision:
    return Decision(
        id=new_decision_id(),
        decided_at=now,
        segment=agent_segment(agent_id),
        policy=REQUESTED,
        policy_version="1",
        model=model_id,
        tier="",
        propensity=1.0,
        proposal=Proposal((Candidate(model_id, "", 1.0, match_score),), model_id, "decided by the caller"),
        agent_id=agent_id,
    )


def _call_problems(match_score: object, success: object) -> list[Problem]:
    problems = []
    if match_score is not None:
        wanted = "must be a number in 0..100"
        if isinstance(match_score, bool) or not isinstance(match_score, int | float):
            problems.append(Problem("match_score", wanted, repr(match_score)[:80], "type"))
        elif not 0.0 <= match_score <= 100.0:
            problems.append(Problem("match_score", wanted, repr(match_score), "range"))
    if not isinstance(success, bool):
        problems.append(Problem("success", "must be true or false", repr(success)[:80], "type"))
    return problems
