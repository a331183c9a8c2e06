"""What was learned from a log that is gone, under the log in its place; the same for every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.test_store_contract import DAY_S
from support.happenings import REVIEW, SEGMENTS, at, feedback, outcome, standing
from tiercel.core.logbook import YOUNG_LOG
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.domain.errors import PositionLost
from tiercel.domain.events import Event
from tiercel.ports import START, Store

GONE: list[Event] = [
    *(outcome(n, seconds=n * 9_000, segment=SEGMENTS[n % 3]) for n in range(20)),
    *(feedback(f"old{n}", n / 20, seconds=n * 9_000, segment=SEGMENTS[n % 3], source="user:1") for n in range(20)),
    standing(3),
]
NEW: list[Event] = [outcome(50, segment=REVIEW), feedback("new", 0.5, segment=SEGMENTS[0], source="user:1")]


def state(*batches: list[Event]) -> Deltas:
    """What these teach."""
    merged = Deltas()
    merged.merge(*map(fold, batches))
    return merged.climbed(0.0)


def test_what_a_gone_log_taught_is_the_state_of_an_empty_one(store: Store) -> None:
    assert store.restore(fold(GONE))
    assert store.load()[0] == state(GONE)
    store.append(NEW, fold)
    assert store.load()[0] == state(GONE, NEW)
    store.rebuild(fold)
    store.trim(at(9 * DAY_S))
    assert store.load()[0] == state(GONE, NEW)


def test_events_that_came_before_it_count_too_and_followers_are_told(store: Store) -> None:
    end = store.append(NEW, fold).follow(store.oldest())
    assert end is not None
    assert store.restore(fold(GONE))
    assert store.load()[0] == state(GONE, NEW)
    with pytest.raises(PositionLost):
        store.events_after(end, 10)
    with pytest.raises(PositionLost):
        store.events_after(START, 10)


def test_a_log_that_was_looked_at_before_anything_was_in_it_has_no_past(store: Store) -> None:
    """Whoever checks a server that came back empty does not keep others from putting back what they know."""
    store.load()
    store.compact(at(9 * DAY_S))
    assert store.restore(fold(GONE))
    assert store.load()[0] == state(GONE).climbed(at(9 * DAY_S).timestamp())
    assert not store.restore(fold(GONE))


def test_it_is_done_once(store: Store) -> None:
    assert store.restore(fold(GONE))
    assert not store.restore(fold(GONE))
    assert store.load()[0] == state(GONE)


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.clear_feedback("a", "b", fold),
        lambda store: store.rebuild(fold),
        lambda store: store.compact(at(DAY_S)),
        lambda store: store.trim(at(9 * DAY_S)),
        lambda store: store.append([outcome(n) for n in range(YOUNG_LOG)], fold),
    ],
    ids=["cleared", "rebuilt", "compacted", "trimmed", "grown"],
)
def test_a_log_with_a_past_of_its_own_is_left_alone(store: Store, act: Callable[[Store], object]) -> None:
    store.append(NEW, fold)
    act(store)
    before = store.load()
    assert not store.restore(fold(GONE))
    assert store.load() == before
