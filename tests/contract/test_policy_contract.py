"""What holds for every policy, whatever it decides by."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.bootstrap import POLICIES, build_policy
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.changes.steps import event_of
from tiercel.core.features import Basis
from tiercel.core.grading import JudgeSettings
from tiercel.core.policies.base import Policy, Situation, decision_of, draw
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.changes import Change, ChangeStatus
from tiercel.domain.events import Event, Feedback, Label, Outcome
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.testing import EPOCH

SEGMENT = stage_segment("w", "s")
TIERS = ("cheap", "capable", "premium")
NOW_US = round(EPOCH.timestamp() * 1e6)


BASIS = Basis()
WRAPPED = {
    "safe(contextual)": RouteSettings(max_quality_loss=0.02),
    "judged(contextual)": RouteSettings(judge=JudgeSettings(model="m0", rate=0.25)),
    "safe(judged(contextual))": RouteSettings(max_quality_loss=0.02, judge=JudgeSettings(model="m0", rate=0.25)),
    "safe(tier-rules)": RouteSettings(policy="tier-rules", max_quality_loss=0.02),
    "switched(contextual)": RouteSettings(from_policy="tier-rules"),
    "gated(tier-rules)": RouteSettings(policy="tier-rules", changes="rollout"),
    "gated(safe(tier-rules))": RouteSettings(policy="tier-rules", changes="approval", max_quality_loss=0.02),
    "gated(switched(contextual))": RouteSettings(from_policy="tier-rules", changes="rollout", rollout_min_ratings=1),
}
NAMES = (*sorted(POLICIES), *WRAPPED)


ROLLING = event_of(
    Change(
        id="change_1",
        segment=SEGMENT,
        policy="tier-rules",
        previous="cheap",
        current="capable",
        reason="low quality",
        confidence=0.9,
        wanted=1,
        revision=1,
        status=ChangeStatus.ROLLING,
        rollout=True,
        requested_at=EPOCH,
        stepped_at=EPOCH,
        step_reason="0.25 of the requests",
        actor="tiercel",
        share=0.25,
        alpha=0.025,
    )
)
"""In every situation a change rolls out; policies without a gate do not look at it."""


def policy_of(name: str) -> Policy:
    return build_policy(WRAPPED.get(name) or RouteSettings(policy=name), Settings())


catalogues = st.lists(st.sampled_from(TIERS), min_size=1, max_size=8).map(
    lambda tiers: tuple(
        ModelProfile(
            model_id=f"m{i}",
            tier=tier,
            capabilities={"general": 0.1 * (i + 1)},
            price=None if i % 4 == 3 else Price(0.1 * i, 0.4 * i),
        )
        for i, tier in enumerate(tiers)
    )
)
PROMPTS = ("", "What is 2 + 2?", "Write a long story about 3 bears.\\n" * 9, "(A) yes (B) no?")


def vector_of(prompt: str) -> tuple[float, ...]:
    return BASIS.read(RequestContext(prompt=prompt))


def label_of(chance: random.Random, number: int) -> Label:
    prompt = chance.choice((None, *PROMPTS))
    return Label(
        vector=() if prompt is None else vector_of(prompt),
        basis="" if prompt is None else BASIS.name,
        expected=chance.choice((None, chance.random())),
        tick=number / 50,
        weight=chance.choice((1.0, 1.0, 0.0)),
    )


def history_of(models: tuple[ModelProfile, ...], calls: int, seed: int) -> tuple[tuple[ModelProfile, ...], list[Event]]:
    """Calls and ratings of those models, with everything that may be unknown sometimes unknown."""
    chance = random.Random(seed)
    events: list[Event] = []
    for i in range(calls):
        model = chance.choice(models)
        events.append(
            Outcome(
                decision_id=f"d{i}",
                recorded_at=EPOCH,
                segment=SEGMENT,
                model=model.model_id,
                tier=model.tier,
                success=chance.random() < 0.7,
                latency_ms=chance.uniform(0, 2000),
                prompt_tokens=chance.choice((None, 0, 2000)),
                completion_tokens=chance.choice((None, 0, 2000)),
                cost_usd=chance.choice((None, 0.0, 0.1)),
                label=label_of(chance, i),
            )
        )
        if chance.random() < 0.5:
            events.append(
                Feedback(
                    id=f"f{i}",
                    recorded_at=EPOCH,
                    segment=SEGMENT,
                    tier=model.tier,
                    quality=chance.choice((0.0, 1.0, chance.random())),
                    source=chance.choice("abc"),
                    model=chance.choice(("", model.model_id, model.model_id)),
                    decision_id=f"d{i}",
                    label=label_of(chance, i),
                )
            )
    return models, events


def histories() -> st.SearchStrategy[tuple[tuple[ModelProfile, ...], list[Event]]]:
    """Drawn from a seed: hundreds of fields each drawn by themselves would take minutes."""
    return st.builds(history_of, catalogues, st.integers(0, 60), st.integers(0, 2**32))


def situation(
    models: tuple[ModelProfile, ...],
    events: list[Event],
    incumbent: str = "",
    *,
    prompt: str = "Hello",
    will_judge: bool | None = None,
) -> Situation:
    knowledge = Knowledge()
    knowledge.add(fold([*events, ROLLING]))
    request = RequestContext(workflow="w", stage="s", requires=("general",), prompt=prompt)
    return Situation(
        request,
        SEGMENT,
        models,
        knowledge,
        incumbent,
        NOW_US,
        vector=vector_of(prompt),
        basis=BASIS.name,
        will_judge=will_judge,
        judge_rate=0.0 if will_judge is None else 0.25,
    )


@pytest.mark.parametrize("name", NAMES)
@given(
    history=histories(),
    incumbent=st.integers(-1, 7),
    prompt=st.sampled_from(PROMPTS),
    will_judge=st.sampled_from([None, False, True]),
)
@settings(max_examples=40, deadline=None)
def test_a_proposal_is_a_distribution_over_exactly_the_eligible_models(
    name: str,
    history: tuple[tuple[ModelProfile, ...], list[Event]],
    incumbent: int,
    prompt: str,
    will_judge: bool | None,  # noqa: FBT001 - a situation's field
) -> None:
    models, events = history
    believed = models[incumbent % len(models)].model_id if incumbent >= 0 else ""
    policy = policy_of(name)
    asked = situation(models, events, believed, prompt=prompt, will_judge=will_judge)
    policy.learned(events)
    proposal = policy.propose(asked)
    assert [c.model_id for c in proposal.candidates] == [m.model_id for m in models]
    assert all(c.excluded is None for c in proposal.candidates)
    probabilities = [c.probability for c in proposal.candidates]
    assert all(p >= 0 for p in probabilities)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-12)
    assert dict(zip((c.model_id for c in proposal.candidates), probabilities, strict=True))[proposal.greedy] > 0
    assert proposal.reason
    for candidate in proposal.candidates:
        assert candidate.quality is None or 0.0 <= candidate.quality <= 1.0
        assert candidate.cost_usd is None or candidate.cost_usd >= 0.0
        assert candidate.deviation is None or 0.0 <= candidate.deviation < 1.0


@pytest.mark.parametrize("name", NAMES)
@given(history=histories())
@settings(max_examples=30, deadline=None)
def test_equal_situations_get_equal_proposals(name: str, history: tuple[tuple[ModelProfile, ...], list[Event]]) -> None:
    models, events = history
    policy = policy_of(name)
    asked = situation(models, events)
    assert policy.propose(asked) == policy.propose(asked)
    fresh = policy_of(name)
    assert fresh.propose(situation(models, events)) == fresh.propose(situation(models, events))


@pytest.mark.parametrize("name", NAMES)
@given(history=histories(), uniforms=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_policy_that_is_told_what_happened_goes_on_proposing_distributions(
    name: str, history: tuple[tuple[ModelProfile, ...], list[Event]], uniforms: list[float]
) -> None:
    """Decisions are booked, outcomes come twice, of strangers or not at all, ratings before or after."""
    models, events = history
    policy = policy_of(name)
    asked = situation(models, events)
    for i, uniform in enumerate(uniforms):
        proposal = policy.propose(asked)
        chosen = draw(proposal, uniform)
        policy.decided(
            decision_of(
                asked, proposal, chosen, decision_id=f"d{i}", decided_at=EPOCH, policy=(policy.name, policy.version)
            )
        )
        policy.learned(events[i::3])
        asked.knowledge.add(fold(events[i::3]))
        change = policy.review(SEGMENT, models, asked.knowledge, NOW_US)
        if change is not None:
            asked.knowledge.add(fold([change]))
            policy.learned([change])
    probabilities = [c.probability for c in policy.propose(asked).candidates]
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-9)
    assert all(p >= 0 for p in probabilities)


@pytest.mark.parametrize("name", NAMES)
def test_logged_propensities_are_the_empirical_frequencies(name: str) -> None:
    models = tuple(ModelProfile(model_id=f"m{i}", tier=TIERS[i % 3], capabilities={"general": 0.5}) for i in range(6))
    proposal = policy_of(name).propose(situation(models, []))
    draws = 100_000
    # a low-discrepancy sequence: every slice is hit in proportion to its width, within 1/draws
    counts = Counter(draw(proposal, i / draws).model_id for i in range(draws))
    for candidate in proposal.candidates:
        assert counts[candidate.model_id] / draws == pytest.approx(candidate.probability, abs=1.5 / draws)


@pytest.mark.parametrize("name", NAMES)
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
