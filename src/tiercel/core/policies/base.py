"""What every policy is: a pure function from a situation to a probability for each eligible model.

A policy never draws. It returns the whole distribution, and `draw` samples it with a number the caller brings, so that
the logged propensity is the probability the model really had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from tiercel.core.statistics.arms import ARM
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, StandingChange
from tiercel.domain.request import RequestContext, Segment

DEFAULT_PROBE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy decides from.

    `eligible` is not empty and in catalogue order. `incumbent` is the model this segment's previous request was
    believed best served by ("" for the first). `now_us` is the time in microseconds since the epoch. `vector` are the
    request's figures in the order of `basis` (empty for a policy that does not read the prompt). `will_judge` says
    whether the answer will be graded by the route's judge, a coin that fell with probability `judge_rate`; None on a
    route without a judge.
    """

    request: RequestContext
    segment: Segment
    eligible: tuple[ModelProfile, ...]
    knowledge: Knowledge
    incumbent: str
    now_us: int
    vector: tuple[float, ...] = ()
    basis: str = ""
    will_judge: bool | None = None
    judge_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Mixture(Proposal):
    """What two proposals come to, one of which a decision will have been drawn from.

    `of_new` is, for each model with any probability, how likely it is that the second proposal was drawn from if that
    model was drawn. `details_of` are the two proposals' own figures.
    """

    of_new: Mapping[str, float] = field(default_factory=dict)
    details_of: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {})

    def drawn(self, model_id: str, uniform: float) -> Proposal:
        """The proposal as it is logged: `rollout_arm` says which of the two that model was drawn from (1: the new).

        `uniform` in [0, 1) decides; the probabilities stay those of the mixture.
        """
        arm = int(uniform < self.of_new[model_id])
        details = {**self.details_of[arm], **self.details, ARM: float(arm)}
        return Proposal(self.candidates, self.greedy, self.reason, details)


class Policy(Protocol):
    """One way to choose. `version` changes whenever equal inputs may give another distribution.

    A policy may keep books of its own (what was spent, say): it is told of every decision made by its proposals and of
    everything logged since. Between two such messages equal situations get equal proposals.
    """

    @property
    def name(self) -> str:
        """What it is called in configurations and decisions."""
        ...

    @property
    def version(self) -> str:
        """Which one of that name."""
        ...

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        ...

    @property
    def reads_prompt(self) -> bool:
        """Whether it has to be given the request's features."""
        ...

    @property
    def keeps_books(self) -> bool:
        """Whether its proposals change with what it was told of."""
        ...

    def propose(self, situation: Situation) -> Proposal:
        """A probability for every eligible model, summing to 1; a few microseconds per model."""
        ...

    def decided(self, decision: Decision) -> None:
        """Take note of a decision drawn from a proposal of this policy."""
        ...

    def learned(self, events: Sequence[Event]) -> None:
        """Take note of what was logged, by whichever policy or process it was caused."""
        ...

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        """Whether `segment` should be served otherwise from now on; asked whenever something new was learned of it."""
        ...


class BasePolicy:
    """What most policies share: they do not read the prompt, keep no books, and have no standing to review."""

    name: ClassVar[str]
    version: ClassVar[str]
    summary: ClassVar[str]
    reads_prompt: ClassVar[bool] = False
    keeps_books: ClassVar[bool] = False

    def decided(self, decision: Decision) -> None:
        """Nothing to note."""

    def learned(self, events: Sequence[Event]) -> None:
        """Nothing to note."""

    def review(
        self,
        segment: Segment,  # noqa: ARG002 - the protocol's names
        models: Sequence[ModelProfile],  # noqa: ARG002
        knowledge: Knowledge,  # noqa: ARG002
        now_us: int,  # noqa: ARG002
    ) -> StandingChange | None:
        """Keep things as they are."""
        return None


def mixture(
    eligible: Sequence[ModelProfile],
    greedy: str,
    probes: Mapping[str, float],
    share: float,
    *,
    reason: str,
    scores: Mapping[str, float] | None = None,
    details: Mapping[str, float] | None = None,
) -> Proposal:
    """`greedy` with probability 1 - share, and `share` spread over `probes` by their weights.

    Without probes `greedy` has it all. The greedy model may not be among the probes.
    """
    total = sum(probes.values())
    share = share if total > 0 else 0.0
    candidates = []
    for model in eligible:
        model_id = model.model_id
        if model_id == greedy:
            probability = 1.0 - share
        elif share:
            probability = share * probes.get(model_id, 0.0) / total
        else:
            probability = 0.0
        candidates.append(Candidate(model_id, model.tier, probability, scores.get(model_id) if scores else None))
    return Proposal(tuple(candidates), greedy, reason, details or {})


def draw(proposal: Proposal, uniform: float) -> Candidate:
    """The candidate in whose slice of [0, 1) `uniform` falls.

    Rounding may leave the slices a hair short of 1; what falls beyond the last goes to the last with any probability.
    """
    chosen: Candidate | None = None
    reached = 0.0
    for candidate in proposal.candidates:
        if candidate.probability > 0.0:
            chosen = candidate
            reached += candidate.probability
            if uniform < reached:
                break
    if chosen is None:
        raise ValueError("a proposal must give some model a positive probability")
    return chosen


def decision_of(
    situation: Situation,
    proposal: Proposal,
    chosen: Candidate,
    *,
    decision_id: str,
    decided_at: datetime,
    policy: tuple[str, str],
    degraded: bool = False,
) -> Decision:
    """The record of a choice from a proposal of the policy of that name and version."""
    request = situation.request
    return Decision(
        id=decision_id,
        decided_at=decided_at,
        segment=situation.segment,
        policy=policy[0],
        policy_version=policy[1],
        model=chosen.model_id,
        tier=chosen.tier,
        propensity=chosen.probability,
        proposal=proposal,
        agent_id=request.agent_id,
        session_id=request.session_id,
        requires=tuple(request.requires),
        features=request.features,
        degraded=degraded,
        vector=situation.vector,
        basis=situation.basis,
        will_judge=situation.will_judge,
        judge_rate=situation.judge_rate,
    )
