"""What the log says another policy would have achieved: from events to rows, and from a policy to its probabilities.

    store -> history -> rated decisions in order -> the first part teaches the target policy, which is then frozen
                                                 -> the second part says what the frozen policy is worth

A decision is a row when someone rated its answer. Where tiercel's judge threw a coin, only the requests on which it
fell count, each for 1 / rate requests: the policy may have explored on those and not on the others. Where nobody threw
a coin, the ratings are taken to be missing at random: that whether an answer is rated depends on nothing but what the
decision knew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean

from tiercel.core.estimators.rows import LoggedRow, Probabilities
from tiercel.core.estimators.valuation import Logged, Valuation, logged_value, value
from tiercel.core.learning import learn
from tiercel.core.logbook import event_time
from tiercel.core.policies.base import Policy, Situation, decision_of, draw
from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.decision import Candidate, Decision
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.events import Event
from tiercel.domain.request import RequestContext, Segment
from tiercel.services.deciding.router import REQUESTED
from tiercel.services.valuing.logged_history import History

DEFAULT_TRAIN_SHARE = 0.5
_LEARNED_AT_ONCE = 50
"""About as many events as a busy router commits together: after each batch the policy may review its standings."""
_SEEN = 2_000
"""More traffic than any policy paces itself by."""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Census:
    """What the decisions of a log are good for.

    `rated` are rows, `judged` of them by a coin of tiercel's. Of no use are those that `requested` a model by name,
    those nobody rated, those rated although the judge passed them over, and those whose propensity is 0.
    """

    decisions: int
    rated: int
    judged: int
    requested: int
    unrated: int
    passed_over: int
    impossible: int


@dataclass(frozen=True, slots=True)
class OffPolicyReport:
    """What the log says of each target policy, and of the logged ones on the same `rows`.

    The policies learned from `learned` decisions, made before `since`. `without_vector` rows do not say what a policy
    that reads the prompt would have read; `blind` are the target policies that do.
    """

    census: Census
    learned: int
    rows: int
    since: datetime | None
    until: datetime | None
    without_vector: int
    blind: tuple[str, ...]
    logged_policies: tuple[str, ...]
    logged: Logged
    valuations: Mapping[str, Valuation] = field(default_factory=dict)


def off_policy_report(
    history: History,
    policies: Mapping[str, Policy],
    models: Sequence[ModelProfile],
    *,
    train_share: float = DEFAULT_TRAIN_SHARE,
    allowed: Sequence[str] = (),
    agents: Mapping[str, Agent] | None = None,
    concerns: Callable[[Segment], bool] = lambda _: True,
) -> OffPolicyReport:
    """What each of `policies` (fresh ones) would have achieved with the requests of the log that `concerns` names.

    They learn from the decisions before the `train_share` (0..1, below 1) of rated ones, and are valued on the rest.
    `models` are all there are, in catalogue order; `allowed` those the targets may choose (empty: all
    that were eligible).
    """
    if not 0.0 <= train_share < 1.0:
        raise InvalidInput([Problem("train_share", "must be in 0..1, below 1", repr(train_share), "range")])
    decisions = [decision for decision in history.decisions if concerns(decision.segment)]
    usable = [decision for decision in decisions if _use(decision, history) == "rated"]
    valued = usable[round(len(usable) * train_share) :]
    first = decisions.index(valued[0]) if valued and len(valued) < len(usable) else 0
    taught = _taught(decisions[:first], history, valued[0].decided_at if first else None, concerns)
    rows = [_row(decision, history) for decision in valued]
    seen = [decision for decision in decisions[:first] if decision.policy != REQUESTED][-_SEEN:]
    valuations = {}
    for name, policy in policies.items():
        target = _Target(policy, models, frozenset(allowed), agents or {})
        target.learn(taught)
        target.see(seen)
        valuations[name] = value(rows, [target.probabilities(decision) for decision in valued])
    without_vector = sum(not decision.vector for decision in valued)
    return OffPolicyReport(
        census=_census(decisions, history),
        learned=first,
        rows=len(rows),
        since=valued[0].decided_at if valued else None,
        until=valued[-1].decided_at if valued else None,
        without_vector=without_vector,
        blind=tuple(name for name, policy in policies.items() if policy.reads_prompt and without_vector),
        logged_policies=tuple(dict.fromkeys(decision.policy for decision in valued)),
        logged=logged_value(rows),
        valuations=valuations,
    )


def _use(decision: Decision, history: History) -> str:
    """What a decision is good for; a field of `Census`."""
    if decision.policy == REQUESTED:
        return "requested"
    if decision.id not in history.ratings:
        return "unrated"
    if decision.will_judge is False or (decision.will_judge and decision.judge_rate <= 0.0):
        return "passed_over"
    chosen = next((c for c in _eligible(decision) if c.model_id == decision.model), None)
    return "rated" if chosen is not None and chosen.probability > 0.0 else "impossible"


def _census(decisions: Sequence[Decision], history: History) -> Census:
    uses = [_use(decision, history) for decision in decisions]
    return Census(
        decisions=len(decisions),
        judged=sum(
            use == "rated" and decision.will_judge is True for use, decision in zip(uses, decisions, strict=True)
        ),
        **{name: uses.count(name) for name in ("rated", "requested", "unrated", "passed_over", "impossible")},
    )


def _eligible(decision: Decision) -> list[Candidate]:
    return [candidate for candidate in decision.proposal.candidates if candidate.excluded is None]


def _row(decision: Decision, history: History) -> LoggedRow:
    """A rated decision. Sources that differ are averaged; a fallback's cost is part of what the choice cost."""
    eligible = _eligible(decision)
    models = tuple(candidate.model_id for candidate in eligible)
    costs = [outcome.cost_usd for outcome in history.outcomes.get(decision.id, ())]
    known = [cost for cost in costs if cost is not None]
    return LoggedRow(
        segment=decision.segment,
        models=models,
        logged=tuple(candidate.probability for candidate in eligible),
        chosen=models.index(decision.model),
        quality=fmean(rating.quality for rating in history.ratings[decision.id]),
        cost_usd=sum(known) if known and len(known) == len(costs) else None,
        judge_rate=decision.judge_rate if decision.will_judge else 1.0,
    )


def _taught(
    decisions: Sequence[Decision], history: History, before: datetime | None, concerns: Callable[[Segment], bool]
) -> list[Event]:
    """What became of `decisions`, whenever it became known, and what else was logged `before`; in order of time."""
    if before is None:
        return []
    events: list[Event] = []
    for decision in decisions:
        events += history.outcomes.get(decision.id, ())
        # the ratings that these revised are not among them, and so cannot be taken back
        events += (replace(rating, replaces=None) for rating in history.ratings.get(decision.id, ()))
    events += (stray for stray in history.strays if stray.recorded_at < before and concerns(stray.segment))
    events += (standing for standing in history.standings if standing.changed_at < before)
    return sorted(events, key=event_time)


class _Target:
    """A policy that learns, sees the traffic, and from then on is told nothing more: frozen."""

    def __init__(
        self, policy: Policy, models: Sequence[ModelProfile], allowed: frozenset[str], agents: Mapping[str, Agent]
    ) -> None:
        self._policy = policy
        self._knowledge = Knowledge()
        self._catalogue = models
        self._places = {model.model_id: place for place, model in enumerate(models)}
        self._allowed = allowed
        self._agents = agents
        self._incumbents: dict[Segment, str] = {}

    def learn(self, events: Sequence[Event]) -> None:
        """Learn as a router does: the policy is told of everything, and asked what it concludes."""
        for start in range(0, len(events), _LEARNED_AT_ONCE):
            batch = events[start : start + _LEARNED_AT_ONCE]
            learn(batch, self._policy, self._catalogue, self._knowledge, micros(event_time(batch[-1])))

    def see(self, decisions: Sequence[Decision]) -> None:
        """Let it decide these as well as it can now: what a policy spends over requests it paces by what it saw."""
        for number, decision in enumerate(decisions):
            situation = self._situation(decision, will_judge=decision.will_judge)
            proposal = self._policy.propose(situation)
            self._incumbents[decision.segment] = proposal.greedy
            # evenly spread instead of by chance, so that equal logs give equal answers
            chosen = draw(proposal, number * _GOLDEN % 1.0)
            name, by = f"{decision.id}/imagined", (self._policy.name, self._policy.version)
            imagined = decision_of(
                situation, proposal, chosen, decision_id=name, decided_at=decision.decided_at, policy=by
            )
            self._policy.decided(imagined)

    def probabilities(self, decision: Decision) -> Probabilities:
        """What the policy would have drawn with, for each model that was eligible, in the order of the log.

        Where a coin said whether to judge, before the choice: over both of its sides, as it would fall for the target.
        """
        if decision.will_judge is None:
            mixed = self._proposed(decision, will_judge=None)
        else:
            judged, passed = (self._proposed(decision, will_judge=side) for side in (True, False))
            rate = decision.judge_rate
            mixed = {model: rate * judged[model] + (1.0 - rate) * passed[model] for model in judged}
        return tuple(mixed.get(candidate.model_id, 0.0) for candidate in _eligible(decision))

    def _proposed(self, decision: Decision, *, will_judge: bool | None) -> dict[str, float]:
        proposal = self._policy.propose(self._situation(decision, will_judge=will_judge))
        if not will_judge:
            self._incumbents[decision.segment] = proposal.greedy
        return {candidate.model_id: candidate.probability for candidate in proposal.candidates}

    def _situation(self, decision: Decision, *, will_judge: bool | None) -> Situation:
        places = sorted(self._places[candidate.model_id] for candidate in _eligible(decision))
        eligible = [self._catalogue[place] for place in places]
        allowed = [model for model in eligible if model.model_id in self._allowed]
        return Situation(
            request=self._request(decision),
            segment=decision.segment,
            eligible=tuple(allowed or eligible),
            knowledge=self._knowledge,
            incumbent=self._incumbents.get(decision.segment, ""),
            now_us=micros(decision.decided_at),
            vector=decision.vector,
            basis=decision.basis,
            will_judge=will_judge,
            judge_rate=0.0 if will_judge is None else decision.judge_rate,
        )

    def _request(self, decision: Decision) -> RequestContext:
        """As far as it was logged; what its agent prefers is known where the agent is."""
        agent = self._agents.get(decision.agent_id)
        return RequestContext(
            workflow=decision.workflow,
            stage=decision.stage,
            agent_id=decision.agent_id,
            session_id=decision.session_id,
            requires=decision.requires,
            prefers=tuple(agent.preferred) if agent else (),
            min_context_length=agent.min_context_length if agent else 0,
            features=decision.features,
        )
