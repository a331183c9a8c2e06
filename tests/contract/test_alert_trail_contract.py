"""What every store keeps of what was done about alerts."""

from __future__ import annotations

from dataclasses import replace

from support.happenings import acknowledgement, at, notice
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Event
from tiercel.ports import START, Store

DAY_S = 86_400


def test_the_trail_is_read_back_newest_first(store: Store) -> None:
    trail: list[Event] = [notice(1, seconds=1), acknowledgement(1, seconds=2), notice(1, seconds=3, state="failed")]
    store.append(trail, fold)
    assert list(store.alert_trail(10)) == trail[::-1]
    assert list(store.alert_trail(2)) == trail[:0:-1]
    assert list(store.alert_trail(0)) == []
    assert list(store.recent_alerts(10)) == []
    assert list(store.events_after(START, 10)[0]) == trail


def test_who_says_it_first_has_said_it(store: Store) -> None:
    mine, theirs = notice(1, claim="slot 7"), replace(notice(2, seconds=1), claim="slot 7")
    assert store.append([mine], fold).accepted == (mine,)
    assert store.append([theirs], fold).accepted == ()
    assert store.append([acknowledgement(1)], fold).accepted
    assert store.append([acknowledgement(1, seconds=5, by="bob")], fold).accepted == ()
    assert [event for event in store.alert_trail(10) if event.alert_id == "alert_1"] != []
    assert {getattr(event, "by", "ada") for event in store.alert_trail(10)} == {"ada"}


def test_the_trail_goes_with_its_days(store: Store) -> None:
    store.append([notice(1), acknowledgement(2, seconds=DAY_S)], fold)
    assert store.trim(at(DAY_S)) == 1
    assert list(store.alert_trail(10)) == [acknowledgement(2, seconds=DAY_S)]
