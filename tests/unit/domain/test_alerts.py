import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tiercel.core.statistics.recent_outcomes import RecentOutcomes
from tiercel.domain.alerts import MAX_COUNTED_CALLS, Alert, AlertThresholds, AlertType, Severity
from tiercel.domain.errors import InvalidInput

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_published_defaults() -> None:
    thresholds = AlertThresholds()
    assert (thresholds.latency_p95_warning_ms, thresholds.latency_p95_error_ms) == (500, 1000)
    assert thresholds.latency_p99_critical_ms == 2000
    assert thresholds.success_rate_warning == 0.95
    assert thresholds.success_rate_error == 0.90
    assert thresholds.success_rate_critical == 0.80
    assert thresholds.model_success_rate == 0.90
    assert (thresholds.consecutive_failures_warning, thresholds.consecutive_failures_critical) == (3, 10)
    assert (thresholds.rapid_failures, thresholds.rapid_failures_window_s) == (5, 60)
    assert thresholds.quality_trend == -0.2
    assert (thresholds.minimum_sample, thresholds.cooldown_s) == (10, 300)


def test_the_published_words() -> None:
    assert list(Severity) == ["INFO", "WARNING", "ERROR", "CRITICAL"]
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert set(AlertType) == {
        "high_latency",
        "low_success_rate",
        "model_failure",
        "threshold_breach",
        "no_models_available",
        "rapid_failures",
        "quality_decline",
        "drift",
    }


def problems_of(overrides: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        AlertThresholds(**overrides)
    return [problem.path for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("overrides", "paths"),
    [
        ({"latency_p95_warning_ms": 1000.0}, ["latency_p95_error_ms"]),
        ({"latency_p95_error_ms": 2000.0}, ["latency_p99_critical_ms"]),
        ({"success_rate_warning": 0.90}, ["success_rate_error"]),
        ({"success_rate_critical": 0.95}, ["success_rate_critical"]),
        ({"consecutive_failures_warning": 10}, ["consecutive_failures_critical"]),
        ({"latency_p95_warning_ms": 0.0}, ["latency_p95_warning_ms"]),
        ({"latency_p95_warning_ms": math.nan}, ["latency_p95_warning_ms"]),
        ({"latency_p99_critical_ms": math.inf}, ["latency_p99_critical_ms"]),
        ({"latency_p99_critical_ms": 10**400}, ["latency_p99_critical_ms"]),
        ({"success_rate_warning": 1.01}, ["success_rate_warning"]),
        ({"model_success_rate": -0.1}, ["model_success_rate"]),
        ({"quality_trend": 0.0}, ["quality_trend"]),
        ({"quality_trend": -1.1}, ["quality_trend"]),
        ({"minimum_sample": 0}, ["minimum_sample"]),
        ({"minimum_sample": 2.5}, ["minimum_sample"]),
        ({"minimum_sample": math.inf}, ["minimum_sample"]),
        ({"minimum_sample": math.nan}, ["minimum_sample"]),
        ({"rapid_failures": MAX_COUNTED_CALLS + 1}, ["rapid_failures"]),
        ({"rapid_failures": math.nan}, ["rapid_failures"]),
        ({"history_limit": 0}, ["history_limit"]),
        ({"cooldown_s": -1.0}, ["cooldown_s"]),
        ({"window_s": 0.0}, ["window_s"]),
        ({"cooldown_s": "300"}, ["cooldown_s"]),
        ({"cooldown_s": True}, ["cooldown_s"]),
        ({"cooldown_s": None}, ["cooldown_s"]),
    ],
)
def test_what_is_refused(overrides: dict[str, Any], paths: list[str]) -> None:
    assert problems_of(overrides) == paths


def test_every_problem_at_once() -> None:
    found = problems_of(
        {
            "latency_p95_warning_ms": 3000.0,
            "latency_p95_error_ms": 2500.0,
            "success_rate_critical": 2,
            "rapid_failures": "many",
            "window_s": -1,
        }
    )
    assert set(found) == {
        "latency_p95_error_ms",
        "latency_p99_critical_ms",
        "success_rate_critical",
        "rapid_failures",
        "window_s",
    }


def test_a_wrong_order_names_the_milder_threshold_and_its_value() -> None:
    with pytest.raises(InvalidInput, match=r"latency_p95_error_ms: must be above latency_p95_warning_ms \(1200\)"):
        AlertThresholds(latency_p95_warning_ms=1200.0)


def test_no_cooldown_and_no_hysteresis_are_allowed() -> None:
    assert AlertThresholds(cooldown_s=0, resolve_after_s=0).cooldown_s == 0


def test_streaks_are_counted_in_what_is_remembered() -> None:
    assert MAX_COUNTED_CALLS == RecentOutcomes.LIMIT


def test_an_alert_as_plain_values() -> None:
    alert = Alert(
        alert_id="alert_1",
        timestamp=AT,
        severity=Severity.WARNING,
        alert_type=AlertType.QUALITY_DECLINE,
        message="it declines",
        segment=("stage", "review", "analysis"),
        metric_value=-0.5,
        threshold_value=-0.2,
    )
    assert alert.to_dict() == {
        "alert_id": "alert_1",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "severity": "WARNING",
        "alert_type": "quality_decline",
        "message": "it declines",
        "model_id": None,
        "segment": ["stage", "review", "analysis"],
        "rule": None,
        "metric_value": -0.5,
        "threshold_value": -0.2,
        "resolved_at": None,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "note": None,
    }
    over = alert.resolved(AT + timedelta(seconds=60))
    assert over.to_dict()["resolved_at"] == "2026-01-01T12:01:00+00:00"
    assert over.alert_id == alert.alert_id
    assert over.key == alert.key
    assert over.id != alert.id
