"""The wall clock was ahead for a while and was put right: what is learned since then decides."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.reported import Reported
from support.routing import bench
from support.worlds import SEGMENT, THREE_TIERS, World, model
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy
from tiercel.core.policies.base import Policy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import fold, segment_model_key
from tiercel.domain.request import RequestContext
from tiercel.testing import EPOCH

REVIEW = RequestContext(workflow="review", stage="analysis")
AHEAD_S = [3_600.0, 7 * 86_400.0]

STEPS_S = {
    "-1 h": -3_600.0,
    "+1 h": 3_600.0,
    "+7 d": 7 * 86_400.0,
    "1970": -EPOCH.timestamp(),
    "2038": (datetime(2038, 1, 19, 4, tzinfo=UTC) - EPOCH).total_seconds(),
}


@pytest.mark.parametrize("policy", [AdaptiveScorePolicy, TierRulesPolicy])
@pytest.mark.parametrize("step", STEPS_S)
def test_a_step_of_the_clock_and_back_moves_nothing_that_is_well(
    step: str, policy: type[Policy], reported: Reported
) -> None:
    each = reported.size(100, 2_000)
    # one is the best by far, for either policy
    models = (model("small", "cheap", 0.95), model("large", "premium", 0.6))
    world = World(policy(), models=models, quality=lambda name, _: 0.95 if name == "small" else 0.7)
    world.play(each)
    serves = world.greedy[-1]
    for there in (STEPS_S[step], -STEPS_S[step]):
        world.clock.step(there)
        world.play(each)
    moved = sum(greedy != serves for greedy in world.greedy[each:])
    what = f"clock stepped by {step} and back, {world.policy.name}: requests that another model was believed in for"
    reported.none("clock-steps", what, of=2 * each, bad=moved)


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_failures_are_seen_although_successes_are_stamped_later(ahead_s: float) -> None:
    with bench(policy=AdaptiveScorePolicy()) as b:
        first = b.router.decide(REVIEW)
        b.clock.step(ahead_s)
        for _ in range(100):
            b.learner.leave(b.router.outcome(b.router.decide(REVIEW), success=True, latency_ms=9.0))
        b.learner.flush()
        b.clock.step(-ahead_s)
        for _ in range(60):
            b.learner.leave(b.router.outcome(b.router.decide(REVIEW), model=first.model, success=False, latency_ms=9.0))
        b.learner.flush()
        b.clock.advance(2)
        seen = b.learner.knowledge.outcomes(segment_model_key(first.segment, first.model)).summary()
        assert (seen.requests, seen.successes) == (60, 0)
        assert b.router.decide(REVIEW).model != first.model


@pytest.mark.parametrize("ahead_s", AHEAD_S)
def test_a_stage_that_moved_then_can_move_now(ahead_s: float) -> None:
    world = World(TierRulesPolicy())
    world.clock.step(ahead_s)
    world.knowledge.add(fold([world.rating("cheap", 0.1, number=n) for n in range(40)]))
    world.review()
    assert world.tier == "capable"
    world.clock.step(-ahead_s)
    world.knowledge.add(fold([world.rating("capable", 0.1, number=n) for n in range(40)]))
    change = world.policy.review(SEGMENT, THREE_TIERS, world.knowledge, round(world.clock.now().timestamp() * 1e6))
    assert change is not None
    assert (change.previous, change.current) == ("capable", "premium")
