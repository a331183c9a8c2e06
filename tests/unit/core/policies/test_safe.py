"""The quality-deficit bucket: its inequality on every path, and the promise it makes in worlds as they are."""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outcomes import noisy
from support.told import tell
from support.worlds import SEGMENT, THREE_TIERS
from tiercel.core.pacing import Goal
from tiercel.core.policies.base import BasePolicy, Situation, draw
from tiercel.core.policies.contextual import ContextualPolicy, ContextualSettings
from tiercel.core.policies.safe import SafePolicy, SafeSettings, charges_of, incumbent_of
from tiercel.core.replay.books import Terms
from tiercel.core.replay.driver import replay
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.request import RequestContext
from tiercel.testing import EPOCH

NOW_US = round(EPOCH.timestamp() * 1e6)
MODELS: tuple[ModelProfile, ...] = THREE_TIERS


class Next(BasePolicy):
    """Proposes one thing after the other."""

    name = "next"
    version = "1"
    summary = "for tests"

    def __init__(self) -> None:
        self.proposal = Proposal((), "", "")

    def propose(self, situation: Situation) -> Proposal:  # noqa: ARG002 - the protocol's names
        return self.proposal


def situation() -> Situation:
    return Situation(RequestContext(), SEGMENT, MODELS, Knowledge(), "", NOW_US)


def decision_of(proposal: Proposal, chosen: Candidate) -> Decision:
    return Decision(
        id="d",
        decided_at=EPOCH,
        segment=SEGMENT,
        policy="safe(next)",
        policy_version="1.1",
        model=chosen.model_id,
        tier=chosen.tier,
        propensity=chosen.probability,
        proposal=proposal,
    )


qualities = st.none() | st.floats(0, 1)
candidates = st.tuples(
    *[
        st.builds(
            lambda share, quality, cost, deviation, model=model: Candidate(
                model.model_id, model.tier, share, quality=quality, cost_usd=cost, deviation=deviation
            ),
            st.integers(0, 5),
            qualities,
            st.none() | st.floats(0, 0.1),
            st.none() | st.floats(0, 0.3),
        )
        for model in MODELS
    ]
).filter(lambda cs: any(c.probability for c in cs))


def proposal_of(made: tuple[Candidate, ...]) -> Proposal:
    total = sum(c.probability for c in made)
    shared = tuple(c._replace(probability=c.probability / total) for c in made)
    return Proposal(shared, max(shared, key=lambda c: c.probability).model_id, "as given")


@given(
    st.lists(st.tuples(candidates, st.floats(0, 1, exclude_max=True)), min_size=1, max_size=60),
    st.floats(0.001, 0.2),
    st.sampled_from(["", "small", "middle", "large"]),
    st.floats(1, 50),
)
def test_on_every_path_the_charges_stay_below_epsilon_a_request(
    path: list[tuple[tuple[Candidate, ...], float]], epsilon: float, incumbent: str, cap: float
) -> None:
    inner = Next()
    policy = SafePolicy(inner, SafeSettings(epsilon=epsilon, incumbent=incumbent, cap=cap))
    charged = 0.0
    for n, (made, uniform) in enumerate(path, 1):
        inner.proposal = proposal_of(made)
        proposal = policy.propose(situation())
        assert sum(c.probability for c in proposal.candidates) == pytest.approx(1.0)
        assert all(c.probability >= 0 for c in proposal.candidates)
        chosen = draw(proposal, uniform)
        named = incumbent_of(proposal.candidates, incumbent)
        charged += charges_of(proposal.candidates, named, policy.settings.z)[chosen.model_id]
        policy.decided(decision_of(proposal, chosen))
        assert charged <= epsilon * n + 1e-9
        assert policy.level <= cap * epsilon + 1e-12


def test_worked() -> None:
    inner = Next()
    policy = SafePolicy(inner, SafeSettings(epsilon=0.02, z=2.0))
    inner.proposal = Proposal(
        (
            Candidate("small", "cheap", 0.9, quality=0.86, cost_usd=0.001, deviation=0.01),
            Candidate("middle", "capable", 0.1, quality=0.5, cost_usd=0.002, deviation=0.01),
            Candidate("large", "premium", 0.0, quality=0.9, cost_usd=0.01, deviation=0.0),
        ),
        "small",
        "cheap and good",
    )
    charges = charges_of(inner.proposal.candidates, "large", 2.0)
    assert charges == pytest.approx({"small": 0.06, "middle": 0.42, "large": 0.0})
    for _ in range(2):  # 0.02 a request: the third has room for 0.06
        proposal = policy.propose(situation())
        assert [c.probability for c in proposal.candidates] == [0.0, 0.0, 1.0]
        assert proposal.greedy == "large"
        assert proposal.reason == "small may lose too much to large"
        policy.decided(decision_of(proposal, proposal.candidates[2]))
    policy.level = 0.0401
    proposal = policy.propose(situation())
    assert [c.probability for c in proposal.candidates] == pytest.approx([0.9, 0.0, 0.1])
    assert proposal.greedy == "small"
    assert proposal.details["charge"] == pytest.approx(0.06)
    policy.decided(decision_of(proposal, proposal.candidates[0]))
    assert policy.level == pytest.approx(0.0001)


def test_the_incumbent_is_the_one_named_else_the_dearest() -> None:
    three = [
        Candidate("a", "t", 1.0, cost_usd=0.1),
        Candidate("b", "t", 1.0, cost_usd=0.3),
        Candidate("c", "t", 1.0, cost_usd=0.3),
    ]
    assert incumbent_of(three, "a") == "a"
    assert incumbent_of(three, "gone") == "c"
    assert incumbent_of(three[:2], "") == "b"


def test_of_whom_nothing_is_expected_everything_may_be_lost() -> None:
    unknown, known = Candidate("a", "t", 0.5), Candidate("b", "t", 0.5, quality=0.9, deviation=0.0)
    assert charges_of([unknown, known], "b", 2.0) == pytest.approx({"a": 0.9, "b": 0.0})
    assert charges_of([unknown, known], "a", 2.0) == pytest.approx({"a": 0.0, "b": 0.1})


EPSILON = 0.02


@pytest.mark.parametrize("qualities_", [(0.55, 0.7, 0.8), (0.78, 0.8, 0.81), (0.4, 0.85, 0.8)])
def test_in_none_of_a_hundred_runs_more_is_lost_than_was_allowed(qualities_: tuple[float, float, float]) -> None:
    """Against the dearest, by the models' true qualities: what chance adds to single answers is nobody's loss."""
    losses, costs = [], []
    dear = 0.01
    for run in range(34):
        table = noisy(250, qualities_, [0.0005, 0.002, dear], seed=run)
        inner = ContextualPolicy(ContextualSettings(goal=Goal(price=40.0)))
        policy = SafePolicy(inner, SafeSettings(epsilon=EPSILON))
        trace = replay(table, policy, Terms(feedback_rate=0.5), repeat=run)
        true = dict(enumerate(qualities_))
        losses.append(fmean(true[2] - true[step.chosen] for step in trace.steps))
        costs.append(fmean(step.recorded.cost_usd or 0.0 for step in trace.steps))
    tell(f"{qualities_}: worst loss {max(losses):.4f}, mean {fmean(losses):.4f}, cost {fmean(costs) / dear:.2f} of it")
    assert max(losses) <= EPSILON


def test_without_the_bucket_the_same_policy_loses_more() -> None:
    """What the promise is worth: at this price of money the wrapped policy gives quality away."""
    table = noisy(250, (0.55, 0.7, 0.8), [0.0005, 0.002, 0.01], seed=1)
    trace = replay(table, ContextualPolicy(ContextualSettings(goal=Goal(price=40.0))), Terms(feedback_rate=0.5))
    assert fmean((0.25, 0.1, 0.0)[step.chosen] for step in trace.steps) > EPSILON


def test_many_proposals_do_not_charge_what_was_never_decided() -> None:
    chance = random.Random(1)
    inner = Next()
    policy = SafePolicy(inner)
    inner.proposal = proposal_of(tuple(Candidate(m.model_id, m.tier, chance.random(), quality=0.5) for m in MODELS))
    for _ in range(10):
        policy.propose(situation())
    assert policy.level == 0.0
