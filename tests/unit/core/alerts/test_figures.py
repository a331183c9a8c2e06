"""Which events make which alert, and for how long. `now` is in seconds after the start."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count

import pytest

from tiercel.core.alerts.figures import breaches
from tiercel.core.alerts.rules import Breach
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.tiers import quality_trend
from tiercel.domain.alerts import AlertKey, AlertThresholds, AlertType, Severity
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import Segment, agent_segment, stage_segment
from tiercel.testing import EPOCH

SEGMENT = stage_segment("review", "analysis")
numbers = count()


def call(at_s: float = 0.0, *, success: bool = True, latency_ms: float = 100.0, model: str = "m") -> Outcome:
    return Outcome(
        decision_id=f"d{next(numbers)}",
        recorded_at=EPOCH + timedelta(seconds=at_s),
        segment=SEGMENT,
        model=model,
        tier="cheap",
        success=success,
        latency_ms=latency_ms,
    )


def rating(at_s: float, quality: float, *, tier: str = "cheap", segment: Segment = SEGMENT) -> Feedback:
    return Feedback(
        id=f"f{next(numbers)}",
        recorded_at=EPOCH + timedelta(seconds=at_s),
        segment=segment,
        tier=tier,
        quality=quality,
        source=f"user:{next(numbers)}",
    )


def found(
    events: Iterable[Event], now_s: float = 0.0, thresholds: AlertThresholds | None = None
) -> dict[AlertKey, Breach]:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    return breaches(knowledge, thresholds or AlertThresholds(), micros(EPOCH + timedelta(seconds=now_s)))


LATENCY, SUCCESS = AlertKey(AlertType.HIGH_LATENCY), AlertKey(AlertType.LOW_SUCCESS_RATE)
FAILING, RAPID = AlertKey(AlertType.MODEL_FAILURE, "m"), AlertKey(AlertType.RAPID_FAILURES, "m")
DECLINE = AlertKey(AlertType.QUALITY_DECLINE, None, SEGMENT)


def test_nothing_is_wrong_where_nothing_happened() -> None:
    assert found([]) == {}


def test_good_calls_are_no_alert() -> None:
    assert found([call(i) for i in range(50)], 50) == {}


@pytest.mark.parametrize("calls", [9, 10])
def test_slow_calls(calls: int) -> None:
    seen = found([call(latency_ms=600.0) for _ in range(calls)])
    assert seen == (
        {LATENCY: Breach(Severity.WARNING, "WARNING: P95 latency 600.0ms exceeds warning threshold 500.0ms", 600, 500)}
        if calls == 10
        else {}
    )


def test_a_model_that_fails_fast_is_not_fast() -> None:
    slow = [call(i, latency_ms=600.0) for i in range(10)]
    failing_fast = [call(i, success=False, latency_ms=1.0) for i in range(200)]
    assert found(slow + failing_fast, 200)[LATENCY].metric_value == 600.0


def test_failed_calls_alone_have_no_latency() -> None:
    assert LATENCY not in found([call(success=False, latency_ms=9_999.0) for _ in range(20)])


def test_half_of_the_calls_fail() -> None:
    seen = found([call(i, success=i % 2 == 0) for i in range(20)], 20)
    assert seen[SUCCESS].message == "CRITICAL: Success rate 50.0% below critical threshold 80.0%"
    assert seen[FAILING].message == "Model m has low success rate: 50.0%"
    assert seen[RAPID].severity is Severity.ERROR


def test_of_two_models_the_one_that_fails_is_named() -> None:
    events = [call(i, model="good") for i in range(80)] + [call(i, success=i % 5 != 0) for i in range(20)]
    seen = found(events, 200)
    assert set(seen) == {FAILING}
    assert seen[FAILING].metric_value == 0.80


def test_a_streak_needs_no_minimum_sample() -> None:
    seen = found([call(i, success=False) for i in range(3)], 3)
    assert {key: breach.severity for key, breach in seen.items()} == {FAILING: Severity.WARNING}


def test_a_streak_ends_with_a_success() -> None:
    assert found([call(i, success=False) for i in range(3)] + [call(3)], 3) == {}


@pytest.mark.parametrize(("now_s", "rapid"), [(60.0, True), (60.000001, False)])
def test_five_failures_within_sixty_seconds(now_s: float, *, rapid: bool) -> None:
    events = [call(15.0 * i, success=False) for i in range(5)] + [call(60.0)]
    assert (RAPID in found(events, now_s)) == rapid


def test_failures_of_a_time_to_come_are_not_rapid() -> None:
    """The clock was stepped back by an hour; what it said before does not count for an hour to come."""
    assert RAPID not in found([call(3600.0 + i, success=False) for i in range(5)], 0.0)


def test_the_window_forgets() -> None:
    events = [call(i, success=False, latency_ms=5_000.0) for i in range(20)]
    assert set(found(events, 20)) == {SUCCESS, FAILING, RAPID}
    assert found(events, 3600) == {}


def test_a_month_of_good_calls_does_not_hide_twenty_bad_ones() -> None:
    """What was good for a month weighs nothing in the window."""
    month = [call(-3600.0 * i) for i in range(700)]
    assert SUCCESS in found([*month, *(call(i, success=False) for i in range(20))], 20)


def test_a_decline_is_that_of_the_stage_whatever_the_tiers() -> None:
    good = [rating(i, 0.9, tier="premium") for i in range(20)]
    bad = [rating(20 + i, 0.5, tier="cheap") for i in range(20)]
    other = [rating(i, 0.9, segment=stage_segment("review", "other")) for i in range(40)]
    seen = found([*good, *bad, *other], 40)
    trend = quality_trend([0.5] * 20 + [0.9] * 20)
    message = f"Quality of review/analysis declines: trend {trend:.2f} over 40 ratings"
    assert seen == {DECLINE: Breach(Severity.WARNING, message, trend, -0.2)}


def test_a_decline_needs_the_minimum_sample() -> None:
    ratings = [rating(i, 0.9) for i in range(5)] + [rating(5 + i, 0.1) for i in range(4)]
    assert found(ratings, 9) == {}
    assert DECLINE in found([*ratings, rating(9, 0.1)], 9)


def test_a_trend_is_that_of_the_newest_hundred_of_seven_days() -> None:
    old_fall = [rating(i, 0.9) for i in range(50)] + [rating(50 + i, 0.3) for i in range(150)]
    assert found(old_fall, 200) == {}
    fall = [rating(i, 0.9) for i in range(20)] + [rating(20 + i, 0.3) for i in range(20)]
    assert DECLINE in found(fall, 7 * 86_400)
    assert found(fall, 7 * 86_400 + 40) == {}


def test_an_agent_s_quality_declines_like_a_stage_s() -> None:
    segment = agent_segment("tier")
    ratings = [rating(i, 0.9, segment=segment) for i in range(10)]
    ratings += [rating(10 + i, 0.3, segment=segment) for i in range(10)]
    assert set(found(ratings, 20)) == {AlertKey(AlertType.QUALITY_DECLINE, None, segment)}


def test_what_a_clock_stamped_that_was_ahead_is_in_no_window() -> None:
    ahead = [call(3_600 + i, latency_ms=600.0, success=i % 2 == 0) for i in range(40)]
    assert found(ahead, 0) == {}
    assert LATENCY in found(ahead, 3_600)
    assert LATENCY in found([call(50, latency_ms=600.0) for _ in range(40)], 0)
