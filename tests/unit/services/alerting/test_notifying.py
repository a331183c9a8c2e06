"""Telling people, seen from one process: what fails is tried again, what is much is told together."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from unittest.mock import Mock

import pytest

from support.watching import Heard, Watcher, calls
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.alerts.notice_state import MAX_ATTEMPTS
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.channel import Channel
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.incident import Notice
from tiercel.domain.request import stage_segment
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.alerting.notifying import SETTLE_S
from tiercel.testing import ManualClock

QUIET = AlertThresholds(rapid_failures=100, consecutive_failures_warning=99, consecutive_failures_critical=100)
SLOW = AlertRule(name="slow", metric="latency_p95_ms", workflow="*", error=1_000)
DOZEN = 12


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watcher(store: MemoryStore, clock: ManualClock, heard: Heard) -> Iterator[Watcher]:
    with closing(Watcher(store, clock, heard, thresholds=QUIET)) as one:
        yield one


def looked(watcher: Watcher) -> int:
    watcher.look()
    return watcher.tell()


def test_it_is_told_once_and_its_end_once(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    calls(store, clock, latency_ms=700)
    assert [looked(watcher) for _ in range(3)] == [1, 0, 0]
    (message,) = heard.messages
    assert message.title == "tiercel fired: WARNING high_latency"
    assert message.body.startswith("WARNING: P95 latency 7")
    clock.advance(1_300)
    assert looked(watcher) == 0
    clock.advance(SETTLE_S)
    assert [looked(watcher) for _ in range(3)] == [1, 0, 0]
    assert heard.messages[1].title == "tiercel resolved: WARNING high_latency"
    assert heard.messages[1].body.splitlines()[0] == message.body.splitlines()[0]


def test_it_is_told_again_when_it_becomes_worse_and_not_when_better(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    calls(store, clock, latency_ms=700)
    looked(watcher)
    calls(store, clock, latency_ms=3_000, number=200)
    clock.advance(5)
    looked(watcher)
    assert heard.said == ["fired WARNING high_latency", "fired CRITICAL high_latency"]
    calls(store, clock, latency_ms=700, number=20_000)
    clock.advance(301)
    looked(watcher)
    assert watcher.alerting.active[0].severity == "WARNING"
    assert len(heard.said) == 2
    for pause_s in (1_300, SETTLE_S):
        clock.advance(pause_s)
        looked(watcher)
    assert heard.said[2:] == ["resolved CRITICAL high_latency"]


def test_what_fails_is_tried_again_later_each_time_and_then_given_up(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    heard.refuses = "status_500"
    tried_at: list[float] = []
    with caplog.at_level(logging.WARNING, "tiercel.notify"):
        for _ in range(3_000):
            calls(store, clock, latency_ms=700, number=10)
            before = heard.tried
            looked(watcher)
            if heard.tried > before:
                tried_at.append(clock.monotonic_s())
            clock.advance(5)
            if clock.monotonic_s() > 2_000:
                break
    pauses = [round(later - earlier) for earlier, later in pairwise(tried_at)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    assert len(tried_at) == MAX_ATTEMPTS
    (status,) = watcher.notifying.status()
    assert (status.sent, status.failed, status.given_up, status.error) == (0, MAX_ATTEMPTS, 1, "status_500")
    assert "status_500; 1 notices are given up" in caplog.text


def test_a_channel_that_is_back_hears_what_still_stands(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    heard.refuses = "timeout"
    calls(store, clock, latency_ms=700)
    looked(watcher)
    heard.refuses = ""
    clock.advance(5)
    looked(watcher)
    assert heard.said == ["fired WARNING high_latency"]
    (status,) = watcher.notifying.status()
    assert (status.sent, status.failed, status.error) == (1, 1, "")
    states = [notice.state for notice in store.alert_trail(10) if isinstance(notice, Notice)]
    assert states == ["sent", "claimed", "failed", "claimed", "claimed"]


def test_what_is_over_before_anyone_heard_of_it_is_not_told(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    heard.refuses = "timeout"
    calls(store, clock, latency_ms=700)
    looked(watcher)
    clock.advance(1_300)
    looked(watcher)
    clock.advance(61)
    looked(watcher)
    heard.refuses = ""
    for _ in range(3):
        clock.advance(400)
        looked(watcher)
    assert heard.said == []
    calls(store, clock, latency_ms=700)  # and the next time it is told again
    looked(watcher)
    assert heard.said == ["fired WARNING high_latency"]


def test_many_at_once_are_one_message(store: MemoryStore, clock: ManualClock, heard: Heard) -> None:
    with closing(
        Watcher(store, clock, heard, thresholds=QUIET, rules=(SLOW,), channel=Channel(name="c", rules=("*",)))
    ) as w:
        for number in range(DOZEN):
            calls(store, clock, segment=stage_segment("w", f"s{number}"), latency_ms=2_000)
        looked(w)
        (message,) = heard.messages
        assert (message.title, len(message.tidings)) == (f"tiercel: {DOZEN} fired", DOZEN)
        assert message.body.count("\n") == DOZEN - 1
        looked(w)
        assert len(heard.messages) == 1


def test_between_two_digests_nothing_is_sent(store: MemoryStore, clock: ManualClock, heard: Heard) -> None:
    channel = Channel(name="c", types=("threshold_breach",), digest_s=600)
    with closing(Watcher(store, clock, heard, thresholds=QUIET, rules=(SLOW,), channel=channel)) as watcher:
        for number in range(4):
            calls(store, clock, segment=stage_segment("w", f"s{number}"), latency_ms=2_000)
            looked(watcher)
            clock.advance(60)
        assert len(heard.messages) == 1
        (status,) = watcher.notifying.status()
        assert status.waiting == 3
        clock.advance(400)
        for number in range(4):
            calls(store, clock, segment=stage_segment("w", f"s{number}"), latency_ms=2_000)
        looked(watcher)
        assert [len(message.tidings) for message in heard.messages] == [1, 3]


@pytest.mark.parametrize(
    ("channel", "tells"),
    [
        (Channel(name="c"), 2),
        (Channel(name="c", min_severity="ERROR"), 1),
        (Channel(name="c", min_severity="CRITICAL"), 0),
        (Channel(name="c", rules=("sl*",)), 1),
        (Channel(name="c", types=("high_latency",)), 1),
        (Channel(name="c", types=("high_latency",), rules=("slow",)), 2),
        (Channel(name="c", types=("drift",)), 0),
    ],
)
def test_a_channel_hears_what_it_is_for(
    store: MemoryStore, clock: ManualClock, heard: Heard, channel: Channel, tells: int
) -> None:
    thresholds = AlertThresholds(latency_p95_error_ms=5_000, latency_p99_critical_ms=6_000, rapid_failures=100)
    with closing(Watcher(store, clock, heard, thresholds=thresholds, rules=(SLOW,), channel=channel)) as watcher:
        calls(store, clock, latency_ms=2_000)
        looked(watcher)
        assert len(heard.said) == tells


def test_who_does_not_want_to_hear_of_the_end_still_hears_of_the_next(
    store: MemoryStore, clock: ManualClock, heard: Heard
) -> None:
    with closing(Watcher(store, clock, heard, thresholds=QUIET, channel=Channel(name="c", resolve=False))) as watcher:
        for _ in range(2):
            calls(store, clock, latency_ms=700)
            looked(watcher)
            clock.advance(1_300)
            looked(watcher)
            clock.advance(61)
            looked(watcher)
            looked(watcher)
    assert heard.said == ["fired WARNING high_latency"] * 2


def test_nothing_is_claimed_while_the_store_is_away(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(store, clock, latency_ms=700)
    watcher.look()
    watcher.learner.flush(10)

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr("tiercel.services.alerting.notifying.RECORD_S", 0.05)
        patch.setattr(store, "append", away)
        assert watcher.notifying.tell("chat") == 0
        assert watcher.notifying.tell("chat") == 0
    assert heard.tried == 0


def test_a_hundred_thousand_breaches_are_one_alert_and_one_notice(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    for _ in range(100):
        calls(store, clock, latency_ms=3_000, number=1_000)
        clock.advance(2)
        looked(watcher)
    fired = [alert for alert in store.recent_alerts(1_000) if alert.resolved_at is None]
    assert len(fired) == 1
    assert len(heard.messages) == 1


def test_a_clock_set_back_keeps_neither_a_retry_nor_an_end_waiting(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    heard.refuses = "timeout"
    calls(store, clock, latency_ms=700)
    looked(watcher)
    heard.refuses = ""
    clock.step(-7_200)
    assert looked(watcher) == 1
    clock.advance(7_200 + 1_300)
    assert looked(watcher) == 0
    clock.step(-90)
    assert looked(watcher) == 1
    assert heard.said == ["fired WARNING high_latency", "resolved WARNING high_latency"]


def test_however_many_end_at_once_the_history_is_read_twice(
    store: MemoryStore, clock: ManualClock, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = Mock(wraps=vars(Alerting)["history"].fget)
    monkeypatch.setattr(Alerting, "history", property(history))
    with closing(Watcher(store, clock, heard, thresholds=QUIET, rules=(SLOW,))) as watcher:
        for number in range(DOZEN):
            calls(store, clock, latency_ms=5_000, segment=stage_segment("w", f"s{number}"))
        looked(watcher)
        clock.advance(1_300)
        looked(watcher)
        clock.advance(SETTLE_S)
        history.reset_mock()
        assert looked(watcher) == 1
    assert len(heard.messages[-1].tidings) == DOZEN + 1
    assert history.call_count == 2


def test_an_incident_after_the_clock_was_set_back_is_told_though_its_time_was_claimed_before(
    store: MemoryStore, clock: ManualClock, heard: Heard, watcher: Watcher
) -> None:
    calls(store, clock, latency_ms=700)
    looked(watcher)
    for pause_s in (1_300, SETTLE_S):
        clock.advance(pause_s)
        looked(watcher)
    assert len(heard.said) == 2
    clock.step(-1_300)
    calls(store, clock, latency_ms=700)
    for _ in range(14):  # shorter than a cooldown
        looked(watcher)
        clock.advance(5)
    assert heard.said[2:] == ["fired WARNING high_latency"]
