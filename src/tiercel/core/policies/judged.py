"""Judged coupling: a wrapper that explores where the answer will be judged, and nowhere else.

Trying a model teaches nothing unless somebody says how it did. Where tiercel decides which answers are graded, that
coin is thrown before the choice: a request that will not be judged is served by the model believed best; one that will
be is served with a floor under every model that the wrapped policy allows. So exploration costs only where it pays, and
the judged requests are a log in which other policies can be valued (docs/ope.md): the floor is their overlap. Every
average over decisions has to be weighted by 1 / judge_rate, which the decision carries. Without a judge the wrapped
policy is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tiercel.core.policies.base import Policy, Situation
from tiercel.core.policies.wrapper import WrapperPolicy
from tiercel.domain.decision import Candidate, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSettings:
    """`floor` is the share of judged requests spread over all allowed models, by their cost to the power `-thrift`.

    Of a budget at most `budget_share` is spent on the floor.
    """

    floor: float = 0.2
    thrift: float = 0.5
    budget_usd: float | None = None
    budget_share: float = 0.10


class JudgedPolicy(WrapperPolicy):
    """Wraps a policy that learns."""

    def __init__(self, inner: Policy, settings: JudgedSettings | None = None) -> None:
        super().__init__(inner, kind="judged", promise="explores where the answer is judged")
        self.settings = settings or JudgedSettings()

    def propose(self, situation: Situation) -> Proposal:
        """The believed best for a request that is not judged; for one that is, the wrapped proposal over a floor."""
        proposal = self.inner.propose(situation)
        if situation.will_judge is None:
            return proposal
        if not situation.will_judge:
            shares = [1.0 if c.model_id == proposal.greedy else 0.0 for c in proposal.candidates]
            return _with(proposal, shares)
        spread, floor = self._floor(proposal, situation.judge_rate)
        shares = [(1 - floor) * c.probability + floor * s for c, s in zip(proposal.candidates, spread, strict=True)]
        return _with(proposal, shares)

    def _floor(self, proposal: Proposal, judge_rate: float) -> tuple[list[float], float]:
        """How the floor is spread, and how high it is."""
        allowed = [c.probability > 0 for c in proposal.candidates]
        known = [c.cost_usd for c in proposal.candidates if c.cost_usd]
        least = min(known, default=1.0)
        weights = [
            (max(c.cost_usd or least, least)) ** -self.settings.thrift if ok else 0.0
            for c, ok in zip(proposal.candidates, allowed, strict=True)
        ]
        total = sum(weights)
        spread = [weight / total for weight in weights]
        floor, budget_usd = self.settings.floor, self.settings.budget_usd
        if budget_usd is not None:
            cost = sum(share * (c.cost_usd or 0.0) for share, c in zip(spread, proposal.candidates, strict=True))
            if cost > 0 and judge_rate > 0:
                floor = min(floor, self.settings.budget_share * budget_usd / (judge_rate * cost))
        return spread, floor


def _with(proposal: Proposal, shares: Sequence[float]) -> Proposal:
    candidates: tuple[Candidate, ...] = tuple(
        c._replace(probability=share) for c, share in zip(proposal.candidates, shares, strict=True)
    )
    return replace(proposal, candidates=candidates)
