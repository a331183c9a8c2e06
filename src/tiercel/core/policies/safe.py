"""`safe`: a wrapper under which no policy loses more quality to the incumbent than it was allowed to.

Every request puts `epsilon` quality points into a bucket. Serving a model instead of the incumbent b is charged with
what it may lose, read with caution on both sides:

    charge(a) = max(0, (m_b + z sd_b) - (m_a - z sd_a))

and is allowed only if the bucket holds that much; what is not allowed goes to the incumbent. So the charges of all
requests stay below epsilon times their number, on every path and whatever the wrapped policy does. That the true loss
stays below the charges rests on the beliefs: on their bounds at z standard deviations. (Conservative bandits: Wu,
Shariff, Lattimore, Szepesvari, ICML 2016, algorithm 1, with a bucket in place of the whole history.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.policies.base import Policy, Situation
from tiercel.core.policies.wrapper import WrapperPolicy
from tiercel.domain.decision import Candidate, Decision, Proposal

_ALL = 1.0
"""The charge for a model of which nothing is expected: it may lose everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeSettings:
    """`epsilon` is the mean loss allowed, in quality points; `cap` the most the bucket holds, in requests' worth."""

    epsilon: float = 0.02
    incumbent: str = ""
    z: float = 2.0
    cap: float = 50.0


class SafePolicy(WrapperPolicy):
    """Wraps any policy; the incumbent is the model named, else the one expected to be the dearest."""

    def __init__(self, inner: Policy, settings: SafeSettings | None = None) -> None:
        self.settings = settings or SafeSettings()
        super().__init__(inner, kind="safe", promise=f"never loses more than {self.settings.epsilon:g} of quality")
        self.keeps_books = True
        self.level = 0.0

    def propose(self, situation: Situation) -> Proposal:
        """The wrapped policy's proposal, with what is too risky given to the incumbent."""
        proposal = self.inner.propose(situation)
        incumbent = incumbent_of(proposal.candidates, self.settings.incumbent)
        charges = charges_of(proposal.candidates, incumbent, self.settings.z)
        room = self.level + self.settings.epsilon
        kept = [c.probability if charges[c.model_id] <= room else 0.0 for c in proposal.candidates]
        freed = 1.0 - sum(kept)
        candidates = tuple(
            c._replace(probability=share + (freed if c.model_id == incumbent else 0.0))
            for c, share in zip(proposal.candidates, kept, strict=True)
        )
        greedy = proposal.greedy if charges[proposal.greedy] <= room else incumbent
        reason = proposal.reason if greedy == proposal.greedy else f"{proposal.greedy} may lose too much to {incumbent}"
        details = {**proposal.details, "quality_room": room, "charge": charges[greedy]}
        return Proposal(candidates, greedy, reason, details)

    def decided(self, decision: Decision) -> None:
        """Charge what the choice may lose."""
        candidates = [c for c in decision.proposal.candidates if c.excluded is None]
        incumbent = incumbent_of(candidates, self.settings.incumbent)
        charge = charges_of(candidates, incumbent, self.settings.z).get(decision.model, _ALL)
        own = self.settings
        self.level = min(own.cap * own.epsilon, self.level + own.epsilon) - charge
        super().decided(decision)


def incumbent_of(candidates: Sequence[Candidate], named: str) -> str:
    """The model named if it is a candidate; else the dearest by what is expected, of equals the last."""
    if any(candidate.model_id == named for candidate in candidates):
        return named
    return max(enumerate(candidates), key=lambda item: (item[1].cost_usd or 0.0, item[0]))[1].model_id


def charges_of(candidates: Sequence[Candidate], incumbent: str, z: float) -> dict[str, float]:
    """What serving each candidate instead of the incumbent may lose, in quality points."""
    bounds = {c.model_id: _bounds(c, z) for c in candidates}
    most = bounds[incumbent][1]
    return {
        model_id: 0.0 if model_id == incumbent else max(0.0, most - least) for model_id, (least, _) in bounds.items()
    }


def _bounds(candidate: Candidate, z: float) -> tuple[float, float]:
    worth = candidate.worth
    if worth is None:
        return 0.0, _ALL
    doubt = z * (candidate.deviation or 0.0)
    return max(0.0, worth - doubt), min(1.0, worth + doubt)
