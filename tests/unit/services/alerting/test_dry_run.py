"""What rules would have made of a log is what live alerts made of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from support.watching import Heard, Watcher, calls
from tiercel.adapters.memory_store import MemoryStore
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.events import Outcome
from tiercel.ports import START
from tiercel.services.alerting.dry_run import rehearse
from tiercel.testing import EPOCH, ManualClock

QUIET = AlertThresholds(
    minimum_sample=10**9, rapid_failures=100, consecutive_failures_warning=99, consecutive_failures_critical=100
)
SLOW = AlertRule(name="slow", metric="latency_p95_ms", warning=500, critical=2_000, resolve_after_s=30)
SILENT = AlertRule(name="silent", metric="feedback_silence_s", warning=3_600)


def test_a_log_is_judged_as_it_was_live() -> None:
    clock, store = ManualClock(), MemoryStore()
    live: list[tuple[str, float]] = []
    with closing(Watcher(store, clock, Heard(), thresholds=QUIET, rules=(SLOW,))) as watcher:
        for minute in range(90):
            latency_ms = 3_000.0 if 20 <= minute < 40 else 100.0
            calls(store, clock, latency_ms=latency_ms, number=10)
            for _ in range(12):
                watcher.look()
                clock.advance(5)
        watcher.learner.flush(10)
        for alert in watcher.alerting.history:
            live.append(("fired", (alert.timestamp - EPOCH).total_seconds()))
            last = alert.resolved_at
            if last is not None:
                live.append(("resolved", (last - EPOCH).total_seconds()))
    events, _ = store.events_after(START, 10_000)
    report = rehearse(events, QUIET, [SLOW])
    (episode,) = report.episodes
    first, end = min(at for what, at in live if what == "fired"), max(at for what, at in live if what == "resolved")
    assert abs((episode.fired_at - EPOCH).total_seconds() - first) <= 10
    assert episode.resolved_at is not None
    assert abs((episode.resolved_at - EPOCH).total_seconds() - end) <= 10
    assert episode.fired == sum(1 for what, _ in live if what == "fired")
    assert episode.breach.severity == "CRITICAL"


def test_what_nobody_did_is_found_at_the_time_it_was_not_done() -> None:
    clock, store = ManualClock(), MemoryStore()
    for _ in range(120):
        calls(store, clock, number=10)
        clock.advance(60)
    events, _ = store.events_after(START, 10_000)
    (episode,) = rehearse(events, QUIET, [SILENT]).episodes
    # never rated: counted from the end of the first bucket of calls
    assert episode.fired_at - EPOCH == timedelta(seconds=300 + 3_600)
    assert episode.resolved_at is None


def test_a_long_silence_costs_a_look_a_bucket_and_not_one_every_five_seconds() -> None:
    clock, store = ManualClock(), MemoryStore()
    calls(store, clock, latency_ms=3_000)
    clock.advance(10 * 86_400)
    calls(store, clock)
    events, _ = store.events_after(START, 100)
    told: list[int] = []
    report = rehearse(events, QUIET, [SLOW], keep=lambda key: key.rule == "slow", progress=lambda n, _: told.append(n))
    (episode,) = report.episodes
    assert episode.resolved_at is not None
    assert (report.events, told) == (40, [])
    assert rehearse(events, QUIET, [SLOW], keep=lambda _: False).episodes == []


def test_an_empty_log_and_a_clock_that_stepped_back() -> None:
    assert rehearse([], QUIET, [SLOW]).first is None
    clock, store = ManualClock(), MemoryStore()
    calls(store, clock, latency_ms=3_000)
    events, _ = store.events_after(START, 100)
    late = [
        replace(event, decision_id=f"late-{i}", recorded_at=EPOCH - timedelta(hours=1))
        for i, event in enumerate(events)
        if isinstance(event, Outcome)
    ]
    report = rehearse([*events, *late], QUIET, [SLOW])
    assert (report.first, report.last) == (EPOCH, EPOCH)
