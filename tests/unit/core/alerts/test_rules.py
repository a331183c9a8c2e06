import pytest

from tiercel.core.alerts.rules import (
    Alarm,
    Breach,
    latency_breach,
    model_breach,
    no_models_breach,
    quality_breach,
    rapid_failures_breach,
    success_breach,
    transition,
)
from tiercel.domain.alerts import AlertThresholds, Severity

THRESHOLDS = AlertThresholds()
WARNING, ERROR, CRITICAL = Severity.WARNING, Severity.ERROR, Severity.CRITICAL


@pytest.mark.parametrize(
    ("p95_ms", "p99_ms", "expected"),
    [
        (499.9, 1999.9, None),
        (
            500.0,
            600.0,
            Breach(WARNING, "WARNING: P95 latency 500.0ms exceeds warning threshold 500.0ms", 500.0, 500.0),
        ),
        (
            600.0,
            600.0,
            Breach(WARNING, "WARNING: P95 latency 600.0ms exceeds warning threshold 500.0ms", 600.0, 500.0),
        ),
        (999.9, 1999.9, Breach(WARNING, "WARNING: P95 latency 999.9ms exceeds warning threshold 500.0ms", 999.9, 500)),
        (
            1000.0,
            1999.9,
            Breach(ERROR, "ERROR: P95 latency 1000.0ms exceeds error threshold 1000.0ms", 1000.0, 1000.0),
        ),
        (
            100.0,
            2000.0,
            Breach(CRITICAL, "CRITICAL: P99 latency 2000.0ms exceeds critical threshold 2000.0ms", 2000.0, 2000.0),
        ),
    ],
)
def test_latency(p95_ms: float, p99_ms: float, expected: Breach | None) -> None:
    assert latency_breach(p95_ms, p99_ms, 10, THRESHOLDS) == expected
    assert latency_breach(p95_ms, p99_ms, 9, THRESHOLDS) is None


def test_no_latency_without_a_success() -> None:
    assert latency_breach(None, None, 0, THRESHOLDS) is None


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.951, None),
        (0.95, Breach(WARNING, "WARNING: Success rate 95.0% below warning threshold 95.0%", 0.95, 0.95)),
        (0.901, Breach(WARNING, "WARNING: Success rate 90.1% below warning threshold 95.0%", 0.901, 0.95)),
        (0.90, Breach(ERROR, "ERROR: Success rate 90.0% below error threshold 90.0%", 0.90, 0.90)),
        (0.80, Breach(CRITICAL, "CRITICAL: Success rate 80.0% below critical threshold 80.0%", 0.80, 0.80)),
        (0.50, Breach(CRITICAL, "CRITICAL: Success rate 50.0% below critical threshold 80.0%", 0.50, 0.80)),
    ],
)
def test_success_rate(rate: float, expected: Breach | None) -> None:
    assert success_breach(rate, 10, THRESHOLDS) == expected
    assert success_breach(rate, 9, THRESHOLDS) is None


def test_no_success_rate_without_a_call() -> None:
    assert success_breach(None, 0, THRESHOLDS) is None


@pytest.mark.parametrize(
    ("rate", "calls", "streak", "severity", "message"),
    [
        (0.90, 10, 0, None, ""),
        (0.85, 20, 0, ERROR, "Model llama3-70b has low success rate: 85.0%"),
        (0.85, 9, 0, None, ""),
        (0.99, 100, 2, None, ""),
        (0.97, 100, 3, WARNING, "Model llama3-70b failed 3 times in a row"),
        (0.0, 3, 3, WARNING, "Model llama3-70b failed 3 times in a row"),
        (0.0, 9, 9, WARNING, "Model llama3-70b failed 9 times in a row"),
        (0.5, 10, 9, ERROR, "Model llama3-70b has low success rate: 50.0%"),
        (0.99, 1000, 10, CRITICAL, "Model llama3-70b failed 10 times in a row"),
    ],
)
def test_model_failure(*, rate: float, calls: int, streak: int, severity: Severity | None, message: str) -> None:
    breach = model_breach("llama3-70b", rate, calls, streak, THRESHOLDS)
    assert (breach.severity, breach.message) == (severity, message) if breach else severity is None


def test_rapid_failures() -> None:
    assert rapid_failures_breach("m", 4, THRESHOLDS) is None
    expected = Breach(ERROR, "Model m failed 5 times within 60 s", 5.0, 5)
    assert rapid_failures_breach("m", 5, THRESHOLDS) == expected


def test_quality_decline() -> None:
    segment = ("stage", "review", "analysis")
    assert quality_breach(segment, -0.2, 100, THRESHOLDS) is None
    assert quality_breach(segment, -0.9, 9, THRESHOLDS) is None
    breach = quality_breach(segment, -0.25, 10, THRESHOLDS)
    assert breach == Breach(
        WARNING, "Quality of review/analysis declines: trend -0.25 over 10 ratings", -0.25, THRESHOLDS.quality_trend
    )


def test_no_models() -> None:
    assert no_models_breach({}) == Breach(CRITICAL, "No model may serve the request (there are none)")
    breach = no_models_breach({f"m{i}": "context too short" for i in range(7)})
    assert breach.severity is CRITICAL
    assert "m0: context too short; m1" in breach.message
    assert "m5" not in breach.message
    assert "and 2 more" in breach.message


class Checks:
    """One kind of alert, checked again and again. Times in seconds; cooldown 300 s, resolved after 60 s."""

    def __init__(self) -> None:
        self.alarm = Alarm()

    def at(self, now_s: float, seen: Severity | None) -> tuple[bool, bool]:
        """(fires, resolves)"""
        now_us = round(now_s * 1e6)
        result = transition(self.alarm, seen, now_us, cooldown_us=300_000_000, resolve_after_us=60_000_000)
        self.alarm = result.alarm
        return result.fires, result.resolves


NOTHING = (False, False)
FIRES = (True, False)
REPLACES = (True, True)
RESOLVES = (False, True)


def test_it_fires_once_and_again_after_exactly_the_cooldown() -> None:
    checks = Checks()
    assert checks.at(1000, WARNING) == FIRES
    assert checks.at(1000, WARNING) == NOTHING
    assert checks.at(1299.999999, WARNING) == NOTHING
    assert checks.at(1300, WARNING) == REPLACES
    assert checks.at(1599.999999, WARNING) == NOTHING
    assert checks.at(1600, WARNING) == REPLACES


def test_an_escalation_is_not_suppressed() -> None:
    checks = Checks()
    assert checks.at(0, WARNING) == FIRES
    assert checks.at(1, ERROR) == REPLACES
    assert checks.at(2, CRITICAL) == REPLACES
    assert checks.alarm.active is CRITICAL
    assert checks.at(3, CRITICAL) == NOTHING


def test_it_resolves_when_it_was_clear_for_long_enough_and_no_sooner() -> None:
    checks = Checks()
    checks.at(0, ERROR)
    assert checks.at(100, ERROR) == NOTHING
    assert checks.at(110, None) == NOTHING
    assert checks.at(159.999999, None) == NOTHING
    assert checks.at(160, None) == RESOLVES
    assert checks.at(161, None) == NOTHING
    assert checks.alarm.active is None


def test_a_relapse_starts_the_wait_anew() -> None:
    checks = Checks()
    checks.at(0, ERROR)
    checks.at(50, None)
    assert checks.at(59, ERROR) == NOTHING
    assert checks.at(118, None) == NOTHING
    assert checks.at(119, None) == RESOLVES


def test_a_relapse_within_the_cooldown_is_suppressed_after_resolving_too() -> None:
    checks = Checks()
    checks.at(0, ERROR)
    assert checks.at(60, None) == RESOLVES
    assert checks.at(61, ERROR) == NOTHING
    assert checks.alarm.active is None
    assert checks.at(299, ERROR) == NOTHING
    assert checks.at(300, ERROR) == FIRES


def test_a_milder_breach_takes_over_when_the_worse_one_is_over() -> None:
    checks = Checks()
    checks.at(0, CRITICAL)
    assert checks.at(30, WARNING) == NOTHING
    assert checks.alarm.active is CRITICAL
    assert checks.at(60, WARNING) == REPLACES
    assert checks.alarm.active is WARNING


def test_an_escalation_back_within_its_own_cooldown_leaves_the_milder_alert_standing() -> None:
    checks = Checks()
    checks.at(0, CRITICAL)
    checks.at(60, WARNING)
    assert checks.at(100, CRITICAL) == NOTHING
    assert checks.alarm.active is WARNING
    assert checks.at(300, CRITICAL) == REPLACES
