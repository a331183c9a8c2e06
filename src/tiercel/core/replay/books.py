"""What a replay does with one request: as `services/deciding/router.py` and the learner, without threads or a store.

propose -> draw -> Decision -> policy.decided -> Outcome, Feedback -> learned (core/learning.py)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tiercel.core.beliefs.labels import label_of
from tiercel.core.learning import learn
from tiercel.core.policies.base import Policy, Situation, decision_of, draw
from tiercel.core.replay.catalogue import tokens_of
from tiercel.core.replay.table import Query, Recorded
from tiercel.core.replay.world import Scenario
from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
from tiercel.domain.request import RequestContext, Segment

WORKFLOW = "evaluate"
SOURCE = "evaluator"
"""Who rates."""
WARM_POLICY = "warm-start"
"""The policy name of the decisions made by chance before the replay."""
STEP_S = 150.0
"""Between two requests. As many ratings as make a half-life (core/statistics/label_clock.py) take more than the day
that it lasts at least, so that what fades does so by ratings and not by days."""
COMPACT_EVERY = 500
"""Requests between two times that statistics move into coarser buckets."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first request comes."""
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """How a policy that reads the prompt is given figures: the basis they are in, and what reads them."""

    basis: str
    read: Callable[[RequestContext], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """From `begin` to `end` (0..1 of the stream) ratings are the quality times `factor`, and `rate` times as many."""

    begin: float
    end: float = 1.0
    factor: float = 1.0
    rate: float = 1.0


_AS_EVER = Judging(begin=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a replay is like, whoever decides.

    `feedback_rate` (0..1) of the answers are rated, `delay` requests late (0: before the next request is decided); what
    is not due by the end is never rated. `segmented` says whether the task is the segment. `judged`: the policy is told
    before it chooses whether the answer will be rated, as where tiercel's own judge rates. `requests` is how many
    queries are sent (0: all). Of a warm start `warm_rate` (None: the feedback rate) is rated, and with `warm_full` it
    shows what every model did. `newcomer` is the index of the model that arrives (None: see world.newcomer_of).
    `judgings` are times at which whoever rates does otherwise; of several, the last that begins before counts.
    """

    feedback_rate: float = 1.0
    delay: int = 0
    segmented: bool = True
    judged: bool = False
    scenario: Scenario = ()
    newcomer: int | None = None
    seed: int = 0
    step_s: float = STEP_S
    requests: int = 0
    warm_rate: float | None = None
    warm_full: bool = False
    judgings: tuple[Judging, ...] = ()

    def judging_at(self, part: float) -> Judging:
        """How answers are rated after that part of the stream (0..1)."""
        for judging in reversed(self.judgings):
            if judging.begin <= part < judging.end:
                return judging
        return _AS_EVER


class Books:
    """One policy's learned state, the time, and what was changed by its reviews."""

    def __init__(
        self, policy: Policy, models: tuple[ModelProfile, ...], terms: Terms, features: Features | None
    ) -> None:
        self.policy = policy
        self.models = models
        self.terms = terms
        self.knowledge = Knowledge()
        self.standings: list[StandingChange] = []
        self._features = features if policy.reads_prompt else None
        self._now = BEGIN
        self._requests = 0
        self._ratings = 0
        self._incumbents: dict[Segment, str] = {}

    def decide(self, query: Query, eligible: tuple[ModelProfile, ...], *, rated: bool, uniform: float) -> Decision:
        """The policy's decision; `rated` says whether the answer will be."""
        policy = self.policy
        situation = self._situation(query, eligible, rated=rated if self.terms.judged else None)
        proposal = policy.propose(situation)
        self._incumbents[situation.segment] = proposal.greedy
        decision = self._decision(situation, proposal, draw(proposal, uniform), (policy.name, policy.version))
        policy.decided(decision)
        return decision

    def warm_decision(self, query: Query, proposal: Proposal, chosen: Candidate) -> Decision:
        """A decision that chance made before the replay."""
        return self._decision(self._situation(query, self.models), proposal, chosen, (WARM_POLICY, "1"))

    def outcome(self, decision: Decision, recorded: Recorded, model: ModelProfile) -> Outcome:
        """A successful call to `model`, as it is now. A latency that nobody measured is 0, alike for all models."""
        prompt_tokens, completion_tokens = tokens_of(recorded, model.price)
        return Outcome(
            decision_id=decision.id,
            recorded_at=self._now,
            segment=decision.segment,
            model=decision.model,
            tier=decision.tier,
            success=True,
            latency_ms=recorded.latency_ms or 0.0,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=recorded.cost_usd,
            label=label_of(decision, decision.model, self.knowledge),
        )

    def rating(self, decision: Decision, quality: float) -> Feedback:
        """A rating of a decision's answer, given now."""
        self._ratings += 1
        clock = self.knowledge.clock(decision.segment).after(1, micros(self._now))
        return Feedback(
            id=f"f{self._ratings}",
            recorded_at=self._now,
            segment=decision.segment,
            tier=decision.tier,
            quality=quality,
            model=decision.model,
            decision_id=decision.id,
            source=SOURCE,
            label=replace(label_of(decision, decision.model, self.knowledge), tick=clock.tick),
        )

    def learn(self, events: Sequence[Event], models: Sequence[ModelProfile]) -> None:
        """Learn what was logged of a request, and the changes it calls for; then time passes until the next."""
        if events:
            self.standings += learn(events, self.policy, models, self.knowledge, micros(self._now))
        if self._requests % COMPACT_EVERY == 0:
            self.knowledge.compact(self._now.timestamp())
        self._now += timedelta(seconds=self.terms.step_s)

    def _situation(self, query: Query, eligible: tuple[ModelProfile, ...], *, rated: bool | None = None) -> Situation:
        request = RequestContext(
            workflow=WORKFLOW,
            stage=query.task if self.terms.segmented else "",
            prompt=query.prompt,
            prompt_tokens=query.recorded[0].prompt_tokens or len(query.prompt) // _CHARACTERS_PER_TOKEN,
        )
        segment, features = request.segment, self._features
        return Situation(
            request=request,
            segment=segment,
            eligible=eligible,
            knowledge=self.knowledge,
            incumbent=self._incumbents.get(segment, ""),
            now_us=micros(self._now),
            vector=features.read(request) if features else (),
            basis=features.basis if features else "",
            will_judge=rated,
            judge_rate=0.0 if rated is None else self.terms.feedback_rate,
        )

    def _decision(
        self, situation: Situation, proposal: Proposal, chosen: Candidate, policy: tuple[str, str]
    ) -> Decision:
        self._requests += 1
        return decision_of(
            situation, proposal, chosen, decision_id=f"d{self._requests}", decided_at=self._now, policy=policy
        )
