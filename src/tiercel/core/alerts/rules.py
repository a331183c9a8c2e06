"""Alert rules, in two steps.

breaches:    figures -> the worst threshold they breach, in words, or None
transition:  what was active + the breach seen now -> what is active, what fires, what is over

A breach has one severity, the worst that applies. While an alert of some severity is active, a milder breach does not
replace it; a worse one does, at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tiercel.domain.alerts import AlertThresholds, Severity
from tiercel.domain.request import Segment

_LISTED_REASONS = 5


class Breach(NamedTuple):
    """A threshold that is breached: how bad, in words, what was measured and what it is compared with."""

    severity: Severity
    message: str
    metric_value: float | None = None
    threshold_value: float | None = None


def latency_breach(
    p95_ms: float | None, p99_ms: float | None, calls: int, thresholds: AlertThresholds
) -> Breach | None:
    """Quantiles of the latency of `calls` successful calls; at a threshold is beyond it."""
    if p95_ms is None or p99_ms is None or calls < thresholds.minimum_sample:
        return None
    ladder = (
        (Severity.CRITICAL, "P99", p99_ms, thresholds.latency_p99_critical_ms),
        (Severity.ERROR, "P95", p95_ms, thresholds.latency_p95_error_ms),
        (Severity.WARNING, "P95", p95_ms, thresholds.latency_p95_warning_ms),
    )
    for severity, name, value_ms, limit_ms in ladder:
        if value_ms >= limit_ms:
            word = severity.lower()
            message = f"{severity}: {name} latency {value_ms:.1f}ms exceeds {word} threshold {limit_ms:.1f}ms"
            return Breach(severity, message, value_ms, limit_ms)
    return None


def success_breach(success_rate: float | None, calls: int, thresholds: AlertThresholds) -> Breach | None:
    """The success rate (0..1) of `calls` calls; at a threshold is beyond it."""
    if success_rate is None or calls < thresholds.minimum_sample:
        return None
    ladder = (
        (Severity.CRITICAL, thresholds.success_rate_critical),
        (Severity.ERROR, thresholds.success_rate_error),
        (Severity.WARNING, thresholds.success_rate_warning),
    )
    for severity, limit in ladder:
        if success_rate <= limit:
            word = severity.lower()
            message = f"{severity}: Success rate {success_rate:.1%} below {word} threshold {limit:.1%}"
            return Breach(severity, message, success_rate, limit)
    return None


def model_breach(
    model_id: str, success_rate: float | None, calls: int, consecutive_failures: int, thresholds: AlertThresholds
) -> Breach | None:
    """A model that fails: its newest calls in a row, or too many of `calls`."""
    if consecutive_failures >= thresholds.consecutive_failures_critical:
        return _streak(Severity.CRITICAL, model_id, consecutive_failures, thresholds.consecutive_failures_critical)
    if success_rate is not None and calls >= thresholds.minimum_sample and success_rate < thresholds.model_success_rate:
        message = f"Model {model_id} has low success rate: {success_rate:.1%}"
        return Breach(Severity.ERROR, message, success_rate, thresholds.model_success_rate)
    if consecutive_failures >= thresholds.consecutive_failures_warning:
        return _streak(Severity.WARNING, model_id, consecutive_failures, thresholds.consecutive_failures_warning)
    return None


def _streak(severity: Severity, model_id: str, streak: int, limit: float) -> Breach:
    return Breach(severity, f"Model {model_id} failed {streak} times in a row", float(streak), float(limit))


def rapid_failures_breach(model_id: str, failures: int, thresholds: AlertThresholds) -> Breach | None:
    """The failures of a model within `rapid_failures_window_s`."""
    if failures < thresholds.rapid_failures:
        return None
    message = f"Model {model_id} failed {failures} times within {thresholds.rapid_failures_window_s:g} s"
    return Breach(Severity.ERROR, message, float(failures), float(thresholds.rapid_failures))


def quality_breach(segment: Segment, trend: float, ratings: int, thresholds: AlertThresholds) -> Breach | None:
    """The trend (-1..1) of a segment's newest `ratings`; at the threshold is not beyond it."""
    if ratings < thresholds.minimum_sample or trend >= thresholds.quality_trend:
        return None
    message = f"Quality of {'/'.join(segment[1:])} declines: trend {trend:.2f} over {ratings} ratings"
    return Breach(Severity.WARNING, message, trend, thresholds.quality_trend)


def no_models_breach(reasons: Mapping[str, str]) -> Breach:
    """No model could serve some request; `reasons` says why for each."""
    listed = [f"{model_id}: {reason}" for model_id, reason in reasons.items()]
    shown = "; ".join(listed[:_LISTED_REASONS]) or "there are none"
    more = f"; and {len(listed) - _LISTED_REASONS} more" if len(listed) > _LISTED_REASONS else ""
    return Breach(Severity.CRITICAL, f"No model may serve the request ({shown}{more})")


@dataclass(frozen=True, slots=True)
class Alarm:
    """The state of one kind of alert about one thing.

    `active` is the severity of the alert that stands, or None. `breached_at_us` is when its condition was last seen,
    `fired_at_us` when each severity last fired; microseconds of one clock that does not step back.
    """

    active: Severity | None = None
    breached_at_us: int = 0
    fired_at_us: Mapping[Severity, int] = field(default_factory=dict)

    def cooled(self, severity: Severity, now_us: int, cooldown_us: int) -> bool:
        """Whether that severity may fire: never did, or at least `cooldown_us` ago."""
        fired_at_us = self.fired_at_us.get(severity)
        return fired_at_us is None or now_us - fired_at_us >= cooldown_us


class Transition(NamedTuple):
    """The next state; whether a new alert fires (of the severity seen); whether the one that stood is over."""

    alarm: Alarm
    fires: bool
    resolves: bool


def transition(
    alarm: Alarm, seen: Severity | None, now_us: int, *, cooldown_us: int, resolve_after_us: int
) -> Transition:
    """From one check to the next; `seen` is the severity of the breach seen now, None where all is clear.

    active  seen         condition                     then
    none    none                                       nothing
    none    s            s cooled down                 s fires
    none    s            else                          nothing: suppressed
    a       a or worse   it cooled down                it fires and replaces a
    a       a or worse   else                          a stands
    a       milder/none  a seen < resolve_after ago    a stands
    a       milder/none  else                          a is over; then as if nothing had been active
    """
    active, breached_at_us, over = alarm.active, alarm.breached_at_us, False
    if active is not None:
        if seen is not None and seen.rank >= active.rank:
            breached_at_us = now_us
        elif now_us - breached_at_us >= resolve_after_us:
            active, over = None, True
    due = seen is not None and (active is None or seen.rank >= active.rank)
    if seen is not None and due and alarm.cooled(seen, now_us, cooldown_us):
        fired_at_us = {**alarm.fired_at_us, seen: now_us}
        return Transition(Alarm(seen, now_us, fired_at_us), fires=True, resolves=over or active is not None)
    return Transition(Alarm(active, breached_at_us, alarm.fired_at_us), fires=False, resolves=over)
