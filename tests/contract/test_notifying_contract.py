"""However many processes watch a store, people are told of an incident once, and of its end once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from support.watching import Heard, Watcher, calls
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.incident import Notice
from tiercel.ports import Store
from tiercel.testing import ManualClock

GATEWAYS = 3
FIRED, RESOLVED = "fired CRITICAL high_latency", "resolved CRITICAL high_latency"
THRESHOLDS = AlertThresholds(rapid_failures=100, consecutive_failures_warning=99, consecutive_failures_critical=100)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watchers(store: Store, clock: ManualClock, heard: Heard) -> Iterator[list[Watcher]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(Watcher(store, clock, heard, thresholds=THRESHOLDS))) for _ in range(GATEWAYS)
        ]


def all_at_once(watchers: list[Watcher]) -> None:
    """Everyone looks and tells, at the same moment."""
    barrier = Barrier(len(watchers))

    def run(watcher: Watcher) -> None:
        barrier.wait(10)
        watcher.look()
        watcher.tell()

    threads = [Thread(target=run, args=(watcher,)) for watcher in watchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def everyone(watchers: list[Watcher]) -> None:
    """Everyone looks, and then everyone tells."""
    for watcher in watchers:
        watcher.look()
    for watcher in watchers:
        watcher.learner.flush(10)
    for watcher in watchers:
        watcher.learner.catch_up()
        watcher.tell()
    for watcher in watchers:
        watcher.learner.catch_up()


def test_one_notice_for_an_incident_and_one_for_its_end(
    store: Store, clock: ManualClock, heard: Heard, watchers: list[Watcher]
) -> None:
    calls(store, clock, latency_ms=5_000)
    all_at_once(watchers)
    everyone(watchers)
    assert heard.said == [FIRED]
    for _ in range(4):  # it goes on, and fires again after every cooldown: that is the same incident
        clock.advance(310)
        calls(store, clock, latency_ms=5_000)
        everyone(watchers)
    assert heard.said == [FIRED]
    clock.advance(1_300)
    everyone(watchers)
    clock.advance(61)
    all_at_once(watchers)
    everyone(watchers)
    assert heard.said == [FIRED, RESOLVED]
    fired, resolved = heard.messages
    assert fired.tidings[0].alert.alert_id == resolved.tidings[0].alert.alert_id
    assert fired.id != resolved.id
    claims = [event for event in store.alert_trail(100) if isinstance(event, Notice) and event.state == "sent"]
    assert len(claims) == 2


def test_two_who_call_it_by_other_names_still_tell_it_once(
    store: Store, clock: ManualClock, heard: Heard, watchers: list[Watcher]
) -> None:
    """At the turn of a cooldown the ids of two processes differ: neither knew of the other's alert."""
    clock.advance(299.9)
    calls(store, clock, latency_ms=5_000)
    first, second, _ = watchers
    first.look()
    first.learner.flush(10)
    clock.advance(0.2)
    # the second looks before it has learned of the first's
    second.learner.knowledge.add(store.load()[0])
    second.alerting.check()
    ids = {watcher.alerting.active[0].alert_id for watcher in (first, second)}
    assert len(ids) == 2
    second.learner.flush(10)
    due = [watcher.notifying._due(watcher.channel, clock.now()) for watcher in (first, second)]
    assert all(due)
    claimed = [
        bool(watcher.notifying._claimed(watcher.channel, what))
        for watcher, what in zip((first, second), due, strict=True)
    ]
    assert claimed.count(True) == 1
    clock.advance(61)  # nobody sent what was claimed
    calls(store, clock, latency_ms=5_000)
    everyone(watchers)
    everyone(watchers)
    assert heard.said == [FIRED]
    assert len({watcher.alerting.active[0].alert_id for watcher in watchers}) == 1


def test_a_claim_that_nothing_follows_is_claimed_again(
    store: Store, clock: ManualClock, heard: Heard, watchers: list[Watcher]
) -> None:
    calls(store, clock, latency_ms=5_000)
    dead, alive, _ = watchers
    dead.look()
    dead.learner.flush(10)
    due = dead.notifying._due(dead.channel, clock.now())
    assert dead.notifying._claimed(dead.channel, due)  # and then it dies
    alive.look()
    alive.learner.flush(10)
    clock.advance(59)
    assert alive.tell() == 0
    clock.advance(2)
    everyone([alive, watchers[2]])
    assert heard.said == [FIRED]


def test_what_was_told_is_known_to_who_takes_the_state_instead_of_reading_the_log(
    store: Store, clock: ManualClock, heard: Heard, watchers: list[Watcher]
) -> None:
    first, second, _ = watchers
    second.look()
    calls(store, clock, latency_ms=5_000)
    everyone([first])
    second.learner._load()  # as one does that is far behind, or whose place in the log is gone
    clock.advance(310)
    calls(store, clock, latency_ms=5_000)
    everyone([second])
    everyone([second])
    assert heard.said == [FIRED]
    assert len(second.alerting.history) == 2


def test_what_was_told_is_known_after_a_restart(store: Store, clock: ManualClock, heard: Heard) -> None:
    calls(store, clock, latency_ms=5_000)
    with closing(Watcher(store, clock, heard, thresholds=THRESHOLDS)) as before:
        everyone([before])
        before.alerting.acknowledge(before.alerting.active[0].alert_id, "ada", "on it")
    with closing(Watcher(store, clock, heard, thresholds=THRESHOLDS)) as after:
        everyone([after])
        (alert,) = after.alerting.active
        assert (alert.acknowledged_by, alert.note) == ("ada", "on it")
        again = after.alerting.acknowledge(alert.alert_id, "bob")
        assert again == alert
        clock.advance(1_300)
        everyone([after])
        clock.advance(61)
        everyone([after])
    assert heard.said == [FIRED, RESOLVED]


def test_an_end_that_was_told_after_the_clock_was_set_back_is_known_after_a_restart(
    store: Store, clock: ManualClock, heard: Heard
) -> None:
    calls(store, clock, latency_ms=5_000)
    with closing(Watcher(store, clock, heard, thresholds=THRESHOLDS)) as before:
        everyone([before])
        clock.step(-7_200)
        for _ in range(3):
            clock.advance(61)
            everyone([before])
    assert heard.said == [FIRED, RESOLVED]
    clock.advance(310)
    calls(store, clock, latency_ms=5_000)
    with closing(Watcher(store, clock, heard, thresholds=THRESHOLDS)) as after:
        everyone([after])
    assert heard.said == [FIRED, RESOLVED, FIRED]


def test_of_two_who_acknowledge_the_first_stands_for_both(
    store: Store, clock: ManualClock, watchers: list[Watcher]
) -> None:
    calls(store, clock, latency_ms=5_000)
    first, second, _ = watchers
    first.look()
    first.learner.flush(10)
    second.learner.catch_up()
    alert_id = first.alerting.active[0].alert_id
    mine = first.alerting.acknowledge(alert_id, "ada")
    assert second.alerting.acknowledge(alert_id, "bob").acknowledged_by == "ada"
    assert replace(mine, note=None) == second.alerting.alert(alert_id)
