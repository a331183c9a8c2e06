"""Alerts: what is wrong, how bad, since when; and the thresholds beyond which something counts as wrong."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.request import Segment

MAX_COUNTED_CALLS = 100
"""How many of a model's newest calls are remembered one by one: streaks and bursts of failures are counted in them."""


class Severity(StrEnum):
    """How bad it is, mildest first."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class AlertType(StrEnum):
    """What is wrong. `threshold_breach` is what rules of one's own raise, `drift` what change detection does."""

    HIGH_LATENCY = "high_latency"
    LOW_SUCCESS_RATE = "low_success_rate"
    MODEL_FAILURE = "model_failure"
    THRESHOLD_BREACH = "threshold_breach"
    NO_MODELS_AVAILABLE = "no_models_available"
    RAPID_FAILURES = "rapid_failures"
    QUALITY_DECLINE = "quality_decline"
    DRIFT = "drift"


class AlertKey(NamedTuple):
    """What an alert is about: at most one alert of a key is active. A model, a segment, or neither: everything.

    `rule` is the name of the rule that was breached, or of the figure that changed; "" for what tiercel watches anyway.
    """

    alert_type: AlertType
    model_id: str | None = None
    segment: Segment = ()
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. Times are aware UTC; `resolved_at` is None while it is active.

    `metric_value` is what was measured and `threshold_value` what it is compared with: ms, rates in 0..1, counts.
    `segment` is the stage or agent it is about; `rule` is that of its `AlertKey`. Who acknowledged it, when and with
    what `note` is not in its own entries of the log: an `Acknowledgement` there says so.
    """

    alert_id: str
    timestamp: datetime
    severity: Severity
    alert_type: AlertType
    message: str
    model_id: str | None = None
    segment: Segment = ()
    rule: str = ""
    metric_value: float | None = None
    threshold_value: float | None = None
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    note: str | None = None

    @property
    def id(self) -> str:
        """Unique in the log, which holds an alert twice: when it fired and when it was resolved."""
        return self.alert_id if self.resolved_at is None else f"{self.alert_id}/resolved"

    @property
    def recorded_at(self) -> datetime:
        """When it fired, or was resolved: what the log is told of it."""
        return self.resolved_at or self.timestamp

    @property
    def key(self) -> AlertKey:
        """What it is about."""
        return AlertKey(self.alert_type, self.model_id, self.segment, self.rule)

    def resolved(self, at: datetime) -> Alert:
        """The same alert, over since `at`."""
        return replace(self, resolved_at=at)

    def acknowledged(self, at: datetime, by: str, note: str) -> Alert:
        """The same alert, acknowledged."""
        return replace(self, acknowledged_at=at, acknowledged_by=by, note=note or None)

    def to_dict(self) -> dict[str, Any]:
        """As plain values under the fields' names; times in ISO 8601."""
        return {
            **asdict(self),
            "timestamp": self.timestamp.isoformat(),
            "segment": list(self.segment),
            "rule": self.rule or None,
            "resolved_at": self.resolved_at.isoformat() if self.resolved_at else None,
            "acknowledged_at": self.acknowledged_at.isoformat() if self.acknowledged_at else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """When to alert. Latencies in ms, rates in 0..1, times in seconds.

    Rates and quantiles are over the calls of the last `window_s` and count from `minimum_sample` calls on. The same
    alert in the same severity fires again after `cooldown_s` at the earliest; it resolves when its condition was not
    seen for `resolve_after_s`. The history keeps the newest `history_limit` alerts.
    Raises `InvalidInput` with every problem at once.
    """

    latency_p95_warning_ms: float = 500.0
    latency_p95_error_ms: float = 1000.0
    latency_p99_critical_ms: float = 2000.0
    success_rate_warning: float = 0.95
    success_rate_error: float = 0.90
    success_rate_critical: float = 0.80
    model_success_rate: float = 0.90
    consecutive_failures_warning: int = 3
    consecutive_failures_critical: int = 10
    rapid_failures: int = 5
    rapid_failures_window_s: float = 60.0
    quality_trend: float = -0.2
    minimum_sample: int = 10
    window_s: float = 900.0
    cooldown_s: float = 300.0
    resolve_after_s: float = 60.0
    history_limit: int = 1000

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        problems = [p for name, value in values.items() if (p := _problem(name, value)) is not None]
        faulty = {problem.path for problem in problems}
        for names, rising in _LADDERS:
            if faulty.isdisjoint(names):
                problems += _order_problems(names, [values[name] for name in names], rising=rising)
        if problems:
            raise InvalidInput(problems)


_LADDERS = (
    (("latency_p95_warning_ms", "latency_p95_error_ms", "latency_p99_critical_ms"), True),
    (("success_rate_warning", "success_rate_error", "success_rate_critical"), False),
    (("consecutive_failures_warning", "consecutive_failures_critical"), True),
)
_COUNTED = ("consecutive_failures_warning", "consecutive_failures_critical", "rapid_failures")
_COUNTS = (*_COUNTED, "minimum_sample", "history_limit")
_MAY_BE_ZERO = ("cooldown_s", "resolve_after_s")


def _problem(name: str, value: object) -> Problem | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem(name, "must be a number", repr(value)[:80], "type")
    wanted, good = _range(name, value)
    if good and value <= sys.float_info.max:
        return None
    return Problem(name, f"must be {wanted}", repr(value)[:80], "range")


def _range(name: str, value: float) -> tuple[str, bool]:
    if name in _COUNTED:
        wanted = f"a whole number in 1..{MAX_COUNTED_CALLS}"
        return wanted, 1 <= value <= MAX_COUNTED_CALLS and value == int(value)
    if name in _COUNTS:
        return "a whole number of at least 1", 1 <= value < math.inf and value == int(value)
    if name == "quality_trend":
        return "in -1..0, below 0", -1.0 <= value < 0.0
    if name.startswith("success_rate") or name == "model_success_rate":
        return "in 0..1", 0.0 <= value <= 1.0
    if name in _MAY_BE_ZERO:
        return "finite and 0 or more", value >= 0
    return "finite and above 0", value > 0


def _order_problems(names: Sequence[str], values: Sequence[float], *, rising: bool) -> list[Problem]:
    word = "above" if rising else "below"
    return [
        Problem(name, f"must be {word} {milder} ({limit:g})", f"{value:g}", "range")
        for (milder, limit), (name, value) in pairwise(zip(names, values, strict=True))
        if not (value > limit if rising else value < limit)
    ]
