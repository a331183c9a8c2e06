"""A decision: which model was chosen, with what probability, and why every other one was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tiercel.domain.request import Segment


class Candidate(NamedTuple):
    """One model as a decision saw it.

    `probability` is 0 for an excluded model, whose reason stands in `excluded`; `score` is the policy's own
    figure (None where the policy does not score). `quality` (0..1) and `cost_usd` are what the policy expects of one
    call that is answered, `deviation` how sure it is of that quality, as a standard deviation, and `success_rate` how
    often calls are answered (None where it expects nothing).
    """

    model_id: str
    tier: str
    probability: float
    score: float | None = None
    excluded: str | None = None
    quality: float | None = None
    cost_usd: float | None = None
    deviation: float | None = None
    success_rate: float | None = None

    @property
    def worth(self) -> float | None:
        """The quality to expect of a call, an answer or none; None where nothing is expected."""
        if self.quality is None or self.success_rate is None:
            return self.quality
        return self.quality * self.success_rate


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy proposes before anything is drawn: a probability for every candidate.

    The probabilities sum to 1 over the eligible candidates. `greedy` is the model the policy believes in; the
    rest of the mass is exploration. `reason` says in one sentence why. `details` are the policy's figures.
    """

    candidates: tuple[Candidate, ...]
    greedy: str
    reason: str
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The record of one choice, complete enough to credit late feedback and to evaluate other policies offline.

    `propensity` is the probability with which `model` was drawn from `proposal`. `decided_at` is aware UTC.
    `degraded` says that the decision was made while the store was away. `vector` are the figures the policy read from
    the request, in the order of the versioned `basis` (core/features.py; empty where it reads none). `will_judge` says
    whether the route's judge grades the answer, a coin thrown with probability `judge_rate` before the choice; None on
    a route without a judge.
    """

    id: str
    decided_at: datetime
    segment: Segment
    policy: str
    policy_version: str
    model: str
    tier: str
    propensity: float
    proposal: Proposal
    agent_id: str = ""
    session_id: str = ""
    requires: tuple[str, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    degraded: bool = False
    vector: tuple[float, ...] = ()
    basis: str = ""
    will_judge: bool | None = None
    judge_rate: float = 0.0

    @property
    def workflow(self) -> str:
        """The workflow of the stage decided for ("" for an agent's own segment)."""
        return self.segment[1] if self.segment[0] == "stage" else ""

    @property
    def stage(self) -> str:
        """The stage decided for ("" for an agent's own segment)."""
        return self.segment[2] if self.segment[0] == "stage" else ""

    @property
    def greedy(self) -> str:
        """The model the policy would have chosen without exploring."""
        return self.proposal.greedy

    @property
    def chosen(self) -> Candidate:
        """The candidate that was drawn."""
        return next(c for c in self.proposal.candidates if c.model_id == self.model)

    @property
    def explored(self) -> bool:
        """Whether the draw fell on another model than the greedy one."""
        return self.model != self.proposal.greedy

    def explain(self) -> str:
        """Why this model, with what probability, and why none of the others: a few lines of text."""
        how = "explored (a probe)" if self.explored else "the policy's choice"
        who = f"{self.model} ({self.tier}) by {self.policy} v{self.policy_version}"
        lines = [f"{who}: {how}, probability {self.propensity:.4g}", f"  because: {self.proposal.reason}"]
        for candidate in self.proposal.candidates:
            score = "" if candidate.score is None else f", score {candidate.score:.4g}"
            fate = f"excluded: {candidate.excluded}" if candidate.excluded else f"p = {candidate.probability:.4g}"
            lines.append(f"  {candidate.model_id} ({candidate.tier}{score}): {fate}{_expected(candidate)}")
        return "\n".join(lines)


def _expected(candidate: Candidate) -> str:
    """What was expected of a call, as far as anything was."""
    said = ""
    if candidate.quality is not None:
        said = f", expected quality {candidate.quality:.3f}"
        said += "" if candidate.deviation is None else f" +- {candidate.deviation:.3f}"
    return said + ("" if candidate.cost_usd is None else f", cost ${candidate.cost_usd:.2g}")
