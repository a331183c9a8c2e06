"""The wall clock was ahead for a while and was put right: what is learned since then decides."""

from __future__ import annotations

import pytest

from support.routing import bench
from support.worlds import SEGMENT, THREE_TIERS, World
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import fold, segment_model_key
from tiercel.domain.request import RequestContext

REVIEW = RequestContext(workflow="review", stage="analysis")
AHEAD_S = [3_600.0, 7 * 86_400.0]


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
