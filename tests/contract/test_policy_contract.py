"""What holds for every policy, whatever it decides by."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.bootstrap import POLICIES, build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.policies.base import Policy, Situation, draw
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.testing import EPOCH

SEGMENT = stage_segment("w", "s")
TIERS = ("cheap", "capable", "premium")
NOW_US = round(EPOCH.timestamp() * 1e6)


def policy_of(name: str) -> Policy:
    return build_policy(RouteSettings(policy=name), Settings())


catalogues = st.lists(st.sampled_from(TIERS), min_size=1, max_size=8).map(
    lambda tiers: tuple(
        ModelProfile(model_id=f"m{i}", tier=tier, capabilities={"general": 0.1 * (i + 1)})
        for i, tier in enumerate(tiers)
    )
)


@st.composite
def histories(draw_: st.DrawFn) -> tuple[tuple[ModelProfile, ...], list[Event]]:
    models = draw_(catalogues)
    events: list[Event] = []
    for i in range(draw_(st.integers(0, 60))):
        model = draw_(st.sampled_from(models))
        events.append(
            Outcome(
                decision_id=f"d{i}",
                recorded_at=EPOCH,
                segment=SEGMENT,
                model=model.model_id,
                tier=model.tier,
                success=draw_(st.booleans()),
                latency_ms=draw_(st.floats(0, 2000)),
            )
        )
        if draw_(st.booleans()):
            events.append(
                Feedback(
                    id=f"f{i}",
                    recorded_at=EPOCH,
                    segment=SEGMENT,
                    tier=model.tier,
                    quality=draw_(st.floats(0, 1)),
                    source=draw_(st.sampled_from("abc")),
                )
            )
    return models, events


def situation(models: tuple[ModelProfile, ...], events: list[Event], incumbent: str = "") -> Situation:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    request = RequestContext(workflow="w", stage="s", requires=("general",))
    return Situation(request, SEGMENT, models, knowledge, incumbent, NOW_US)


@pytest.mark.parametrize("name", sorted(POLICIES))
@given(history=histories(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_proposal_is_a_distribution_over_exactly_the_eligible_models(
    name: str, history: tuple[tuple[ModelProfile, ...], list[Event]], data: st.DataObject
) -> None:
    models, events = history
    incumbent = data.draw(st.sampled_from(["", *(m.model_id for m in models)]))
    proposal = policy_of(name).propose(situation(models, events, incumbent))
    assert [c.model_id for c in proposal.candidates] == [m.model_id for m in models]
    assert all(c.excluded is None for c in proposal.candidates)
    probabilities = [c.probability for c in proposal.candidates]
    assert all(p >= 0 for p in probabilities)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-12)
    assert dict(zip((c.model_id for c in proposal.candidates), probabilities, strict=True))[proposal.greedy] > 0
    assert proposal.reason


@pytest.mark.parametrize("name", sorted(POLICIES))
@given(history=histories())
@settings(max_examples=30, deadline=None)
def test_equal_situations_get_equal_proposals(name: str, history: tuple[tuple[ModelProfile, ...], list[Event]]) -> None:
    models, events = history
    policy = policy_of(name)
    assert policy.propose(situation(models, events)) == policy.propose(situation(models, events))


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_logged_propensities_are_the_empirical_frequencies(name: str) -> None:
    models = tuple(ModelProfile(model_id=f"m{i}", tier=TIERS[i % 3], capabilities={"general": 0.5}) for i in range(6))
    proposal = policy_of(name).propose(situation(models, []))
    draws = 100_000
    # a low-discrepancy sequence: every slice is hit in proportion to its width, within 1/draws
    counts = Counter(draw(proposal, i / draws).model_id for i in range(draws))
    for candidate in proposal.candidates:
        assert counts[candidate.model_id] / draws == pytest.approx(candidate.probability, abs=1.5 / draws)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_says_what_it_is(name: str) -> None:
    policy = policy_of(name)
    assert policy.name == name
    assert policy.version
    assert policy.summary


@pytest.mark.parametrize("name", ["tier-rules", "adaptive-score"])
@given(history=histories(), share=st.floats(0.0, 0.2))
@settings(max_examples=40, deadline=None)
def test_probes_never_exceed_their_share(
    name: str, history: tuple[tuple[ModelProfile, ...], list[Event]], share: float
) -> None:
    models, events = history
    policy = build_policy(RouteSettings(policy=name, probe_share=share), Settings())
    proposal = policy.propose(situation(models, events))
    explored = sum(c.probability for c in proposal.candidates if c.model_id != proposal.greedy)
    assert explored <= share + 1e-12
