"""Exploring where the answer is judged: nowhere else, and there with a floor that is known exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outcomes import always
from support.worlds import SEGMENT, THREE_TIERS
from tiercel.core.policies.base import BasePolicy, Situation
from tiercel.core.policies.judged import JudgedPolicy, JudgedSettings
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate, Proposal
from tiercel.domain.request import RequestContext
from tiercel.testing import EPOCH

NOW_US = round(EPOCH.timestamp() * 1e6)
COSTS = (0.001, 0.004, 0.016)


class Given(BasePolicy):
    """Proposes what it was given."""

    name = "given"
    version = "1"
    summary = "for tests"

    def __init__(self, shares: tuple[float, ...], costs: tuple[float | None, ...] = COSTS) -> None:
        self.proposal = Proposal(
            tuple(
                Candidate(model.model_id, model.tier, share, cost_usd=cost, quality=0.5)
                for model, share, cost in zip(THREE_TIERS, shares, costs, strict=True)
            ),
            THREE_TIERS[shares.index(max(shares))].model_id,
            "as given",
        )

    def propose(self, situation: Situation) -> Proposal:  # noqa: ARG002 - the protocol's names
        return self.proposal


def situation(*, will_judge: bool | None, judge_rate: float = 0.1) -> Situation:
    models: tuple[ModelProfile, ...] = THREE_TIERS
    return Situation(
        RequestContext(), SEGMENT, models, Knowledge(), "", NOW_US, will_judge=will_judge, judge_rate=judge_rate
    )


shares = st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any).map(lambda s: tuple(v / sum(s) for v in s))


@given(shares)
def test_what_is_not_judged_is_served_by_the_believed_best(given_shares: tuple[float, ...]) -> None:
    inner = Given(given_shares)
    proposal = JudgedPolicy(inner).propose(situation(will_judge=False))
    assert {c.model_id: c.probability for c in proposal.candidates if c.probability} == {inner.proposal.greedy: 1.0}


@given(shares, st.floats(0, 1))
def test_what_is_judged_is_the_proposal_over_a_floor(given_shares: tuple[float, ...], floor: float) -> None:
    policy = JudgedPolicy(Given(given_shares), JudgedSettings(floor=floor))
    proposal = policy.propose(situation(will_judge=True))
    weights = [cost**-0.5 if share else 0.0 for cost, share in zip(COSTS, given_shares, strict=True)]
    expected = [
        (1 - floor) * share + floor * weight / sum(weights) for share, weight in zip(given_shares, weights, strict=True)
    ]
    assert [c.probability for c in proposal.candidates] == pytest.approx(expected, abs=1e-12)
    assert sum(c.probability for c in proposal.candidates) == pytest.approx(1.0, abs=1e-12)
    for candidate, share in zip(proposal.candidates, given_shares, strict=True):
        assert (candidate.probability > 0) == (share > 0 and (share > 0 or floor > 0)), "what is barred stays barred"


def test_without_a_judge_it_is_left_alone() -> None:
    inner = Given((0.7, 0.2, 0.1))
    assert JudgedPolicy(inner).propose(situation(will_judge=None)) is inner.proposal


@pytest.mark.parametrize("judge_rate", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("budget_usd", [1e-6, 1e-4, 1e-2])
def test_of_a_budget_at_most_a_share_goes_into_the_floor(judge_rate: float, budget_usd: float) -> None:
    settings = JudgedSettings(budget_usd=budget_usd)
    proposal = JudgedPolicy(Given((1.0, 1e-12, 1e-12)), settings).propose(
        situation(will_judge=True, judge_rate=judge_rate)
    )
    weights = [cost**-0.5 for cost in COSTS]
    spread = [weight / sum(weights) for weight in weights]
    floor = proposal.candidates[2].probability / spread[2]
    assert floor <= settings.floor + 1e-9
    spent = judge_rate * floor * sum(share * cost for share, cost in zip(spread, COSTS, strict=True))
    assert spent <= settings.budget_share * budget_usd + 1e-9


def test_unknown_costs_share_the_floor_alike() -> None:
    policy = JudgedPolicy(Given((0.5, 0.3, 0.2), (None, None, None)))
    proposal = policy.propose(situation(will_judge=True))
    floor = policy.settings.floor
    assert [c.probability for c in proposal.candidates] == pytest.approx(
        [(1 - floor) * share + floor / 3 for share in (0.5, 0.3, 0.2)]
    )


def test_it_is_what_it_wraps_and_passes_on_what_it_is_told() -> None:
    inner = always("small")
    policy = JudgedPolicy(inner)
    assert (policy.name, policy.version) == ("judged(scripted)", "1.1")
    assert (policy.reads_prompt, policy.keeps_books) == (inner.reads_prompt, inner.keeps_books)
    policy.learned([])
    assert inner.batches == [[]]
    assert policy.review(SEGMENT, THREE_TIERS, Knowledge(), NOW_US) is None
