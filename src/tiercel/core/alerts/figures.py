"""Which figures of the learned state feed which alert rule.

latency, success     sums of all calls of the window
model failure        sums of the model's calls of the window; the streak at the end of its newest calls
rapid failures       the model's newest calls, one by one
quality decline      the newest ratings of a segment, whatever the tier

The cost is that of a window's time buckets and of the bounded newest samples, whatever the history.
"""

from __future__ import annotations

from itertools import chain

from tiercel.core.alerts.rules import (
    Breach,
    latency_breach,
    model_breach,
    quality_breach,
    rapid_failures_breach,
    success_breach,
)
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.fold import OVERALL, Key, model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import NANO
from tiercel.core.tiers import quality_trend
from tiercel.domain.alerts import AlertKey, AlertThresholds, AlertType
from tiercel.domain.request import Segment

TREND_RATINGS = 100
"""The trend is that of the newest so many ratings."""
TREND_WINDOW_S = 7 * 86_400


def breaches(knowledge: Knowledge, thresholds: AlertThresholds, now_us: int) -> dict[AlertKey, Breach]:
    """Every threshold that is breached at `now_us` (microseconds since the epoch, of the clock that stamped events)."""
    found = standing_figures(knowledge, thresholds, now_us)
    for segment in knowledge.segments():
        found |= segment_figures(knowledge, thresholds, segment, now_us)
    return found


def standing_figures(knowledge: Knowledge, thresholds: AlertThresholds, now_us: int) -> dict[AlertKey, Breach]:
    """What is breached of all calls together, and of each model: what is always looked at."""
    found = _overall(knowledge, thresholds, now_us)
    for model_id in knowledge.models():
        found |= _model(knowledge, model_key(model_id), thresholds, now_us)
    return found


def segment_figures(
    knowledge: Knowledge, thresholds: AlertThresholds, segment: Segment, now_us: int
) -> dict[AlertKey, Breach]:
    """What is breached in a stage or of an agent."""
    place = len(segment)
    rated = [key for key in knowledge.keys_of(segment) if len(key) == place + 2 and key[place] == "tier"]
    if not rated:
        return {}
    trend, ratings = _trend(knowledge, rated, now_us)
    breach = quality_breach(segment, trend, ratings, thresholds)
    return {} if breach is None else {AlertKey(AlertType.QUALITY_DECLINE, None, segment): breach}


def _overall(knowledge: Knowledge, thresholds: AlertThresholds, now_us: int) -> dict[AlertKey, Breach]:
    now_s = now_us / 1e6
    calls = knowledge.sums(OVERALL, since_s=now_s - thresholds.window_s, now_s=now_s)
    p95_ms, p99_ms = calls.latency_quantile_ms(0.95), calls.latency_quantile_ms(0.99)
    return _only(
        {
            AlertKey(AlertType.HIGH_LATENCY): latency_breach(p95_ms, p99_ms, calls.successes, thresholds),
            AlertKey(AlertType.LOW_SUCCESS_RATE): success_breach(calls.success_rate, calls.requests, thresholds),
        }
    )


def _model(knowledge: Knowledge, key: Key, thresholds: AlertThresholds, now_us: int) -> dict[AlertKey, Breach]:
    model_id = key[1]
    since_us = now_us - round(thresholds.window_s * 1e6)
    newest = knowledge.outcomes(key)
    streak = newest.summary(since_us, now_us=now_us).consecutive_failures
    calls = knowledge.sums(key, since_s=since_us / 1e6, now_s=now_us / 1e6)
    burst_us = now_us - round(thresholds.rapid_failures_window_s * 1e6)
    # what is stamped later than now is from before the clock was stepped back, and would count for as long as it was
    latest_us = now_us + CLOCKS_APART_US
    failures = sum(1 for call in newest if not call.success and burst_us <= call.at_us <= latest_us)
    return _only(
        {
            AlertKey(AlertType.MODEL_FAILURE, model_id): model_breach(
                model_id, calls.success_rate, calls.requests, streak, thresholds
            ),
            AlertKey(AlertType.RAPID_FAILURES, model_id): rapid_failures_breach(model_id, failures, thresholds),
        }
    )


def _trend(knowledge: Knowledge, keys: list[Key], now_us: int) -> tuple[float, int]:
    since_us, latest_us = now_us - TREND_WINDOW_S * 1_000_000, now_us + CLOCKS_APART_US
    ratings = [
        r for _, r in chain.from_iterable(knowledge.ratings(key) for key in keys) if since_us <= r.at_us <= latest_us
    ]
    newest = sorted(ratings, reverse=True)[:TREND_RATINGS]
    return quality_trend([rating.quality_nano / NANO for rating in newest]), len(newest)


def _only(found: dict[AlertKey, Breach | None]) -> dict[AlertKey, Breach]:
    return {key: breach for key, breach in found.items() if breach is not None}
