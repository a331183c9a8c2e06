"""What readers of the learning code found wrong once, at work in a whole router."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tiercel import ModelProfile, Price, Router
from tiercel.core.chat_text import described
from tiercel.core.pacing import Goal, Pacer
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Feedback
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.services.learning.labels import labelled
from tiercel.testing import EPOCH, ManualClock

SEGMENT = stage_segment("w", "s")
NOW_US = round(EPOCH.timestamp() * 1e6)
MODELS = [
    ModelProfile(model_id="a", tier="cheap", price=Price(0.1, 0.4)),
    ModelProfile(model_id="b", tier="capable", price=Price(1.0, 4.0)),
    ModelProfile(model_id="c", tier="premium", price=Price(10.0, 40.0)),
]


def rating(number: int, *, quality: float = 0.9, source: str = "e", days_ago: float = 0.0) -> Feedback:
    at = EPOCH - timedelta(days=days_ago)
    return Feedback(
        id=f"f{number}", recorded_at=at, segment=SEGMENT, tier="cheap", quality=quality, model="a", source=source
    )


def learn(knowledge: Knowledge, events: list[Feedback], now_us: int = NOW_US) -> None:
    knowledge.add(fold(labelled(events, knowledge, now_us, frozenset())))


def test_a_rating_of_no_decision_does_not_stop_decisions() -> None:
    with Router(models=MODELS, policy="contextual", seed=1) as router:
        router.learner.record(replace(rating(0), source=""))
        assert router.decide("w", "s", prompt="hello").model


def test_ratings_given_days_ago_do_not_wipe_out_what_is_known() -> None:
    knowledge = Knowledge()
    for minute in range(10):
        learn(knowledge, [rating(minute, days_ago=6)], NOW_US + minute * 60_000_000)
    assert knowledge.clock(SEGMENT).tick < 0.02


def test_a_daily_batch_advances_the_clock_like_ratings_one_by_one() -> None:
    knowledge = Knowledge()
    learn(knowledge, [rating(0)])
    for day in range(1, 4):
        learn(knowledge, [rating(day * 1_000 + i) for i in range(700)], NOW_US + day * 86_400_000_000)
    assert knowledge.clock(SEGMENT).tick == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("batch", [1, 1_000])
def test_a_loud_source_is_muted_in_one_batch_as_one_by_one(batch: int) -> None:
    knowledge = Knowledge()
    number = 0
    for _ in range(20):
        learn(knowledge, [rating(number := number + 1, source=f"honest-{i}") for i in range(5)])
    false = [rating(number := number + 1, quality=0.0, source="evil") for _ in range(1_000)]
    for start in range(0, len(false), batch):
        learn(knowledge, false[start : start + batch])
    sums = [of for _, moments in knowledge.all_moments() for of in moments.shapes.values()]
    mean = sum(of.r for of in sums) / sum(of.n for of in sums)
    assert mean > 0.8


def test_a_fallback_and_a_call_of_unknown_cost_are_charged_to_the_budget() -> None:
    pacer = Pacer(Goal(budget_usd=1.0))
    assert pacer.bucket is not None
    points = {"a": (0.5, 0.8), "b": (3.0, 0.9)}
    start = pacer.bucket.level
    pacer.decided("failed", points, 0.0, 0.5)
    pacer.settle("failed", 0.0)
    pacer.settle("failed", 3.0)
    assert pacer.bucket.level == pytest.approx(start + 1.0 - 3.0)
    pacer.decided("unknown", points, 0.0, 0.5)
    pacer.settle("unknown", None)
    assert pacer.bucket.level == pytest.approx(start + 1.0 - 3.0 + 1.0 - 0.5)


def test_a_model_that_fails_often_is_not_taken_for_one_that_became_better() -> None:
    clock = ManualClock()
    with Router(models=MODELS[:2], policy="contextual", seed=3, clock=clock) as router:
        for i in range(400):
            decision = router.decide("w", "s", prompt="hello")
            answered = decision.model != "a" or i % 5 < 3
            router.record_outcome(
                decision.id, success=answered, latency_ms=100, prompt_tokens=100, completion_tokens=100
            )
            if answered:
                router.record_feedback(decision.id, 0.9)
            clock.advance(30)
        assert router.learner.knowledge.standing("drift", ("model", "a")) is None
        assert router.learner.knowledge.standing("drift", ("model", "b")) is None


@pytest.mark.parametrize("tools", [True, 5, "many", None])
def test_a_body_of_the_wrong_shape_is_described_all_the_same(tools: object) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": tools}
    assert described(RequestContext(), body).tools == 0
