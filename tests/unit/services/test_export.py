"""The log is copied once, and who cannot be told everything is told so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from support.happenings import at, decision, feedback, outcome
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import InvalidInput, PositionLost
from tiercel.domain.events import Event
from tiercel.ports import START, Mark, Position, Store
from tiercel.services.export import Exported, export_log

DAY_S = 86_400


class Copy:
    """An archive in a list."""

    def __init__(self) -> None:
        self.mark: Mark | None = None
        self.events: list[Event] = []
        self.began: list[Position] = []

    def begin(self, position: Position) -> None:
        self.mark = Mark(position)
        self.began.append(position)

    def add(self, events: Sequence[Event], position: Position) -> None:
        self.events += events
        self.mark = Mark(position, events[-1].id)

    def flush(self) -> None:
        """Everything is where it belongs."""


class StrictStore(MemoryStore):
    """Knows as a server does that a position is beyond its end."""

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        if position > self.load()[1]:
            raise PositionLost
        return super().events_after(position, limit)


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "strict": lambda _: StrictStore(),
    "sqlite": lambda folder: SqliteStore(folder / "log.db"),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()


def test_only_what_is_new_is_copied(store: Store) -> None:
    copy = Copy()
    assert export_log(store, copy) == Exported(0, (0,), (0,))
    store.append([decision(1), outcome(1)], fold)
    assert export_log(store, copy) == Exported(2, (0,), (2,))
    assert export_log(store, copy) == Exported(0, (2,), (2,))
    store.append([feedback("f1", decision_id="dec_1")], fold)
    told: list[int] = []
    assert export_log(store, copy, progress=lambda count, _: told.append(count)) == Exported(1, (2,), (3,))
    assert (copy.events, copy.began, told) == (list(store.events_after(START, 9)[0]), [(0,)], [1])


def test_what_was_removed_after_it_was_copied_is_no_loss(store: Store) -> None:
    copy = Copy()
    store.append([outcome(n, seconds=n * DAY_S) for n in range(3)], fold)
    export_log(store, copy)
    store.append([outcome(3, seconds=3 * DAY_S)], fold)
    store.trim(at(3 * DAY_S))
    assert export_log(store, copy) == Exported(1, (3,), (4,))


def trim(store: Store) -> None:
    store.trim(at(2 * DAY_S))


def clear(store: Store) -> None:
    store.clear_feedback("review", "analysis", fold)


def rebuild(store: Store) -> None:
    store.rebuild(fold)


@pytest.mark.parametrize("change", [trim, clear, rebuild])
def test_what_can_no_longer_be_told_is_said_and_again_goes_on(store: Store, change: Callable[[Store], None]) -> None:
    copy = Copy()
    store.append([outcome(1)], fold)
    export_log(store, copy)
    store.append([outcome(2), feedback("f1"), outcome(3, seconds=3 * DAY_S)], fold)
    change(store)
    with pytest.raises(PositionLost, match=r"from position 1, where .* --again keeps what was exported"):
        export_log(store, copy)
    assert len(copy.events) == 1
    exported = export_log(store, copy, again=True)
    assert exported.missing_from == (1,)
    assert copy.began == [(0,), exported.after]
    store.append([outcome(4, seconds=3 * DAY_S)], fold)
    assert export_log(store, copy) == Exported(1, exported.position, (exported.position[0] + 1,))
    assert [event.id for event in copy.events][-1] == "dec_4/small"
    assert len({event.id for event in copy.events}) == len(copy.events)


def test_what_is_lost_while_it_is_read_is_lost_after_what_was_read(store: Store) -> None:
    copy = Copy()
    store.append([outcome(n) for n in range(1_500)], fold)
    with pytest.raises(PositionLost, match=r"from position 1,000, where .* --again"):
        export_log(store, copy, progress=lambda _, __: store.rebuild(fold))
    assert copy.mark == Mark((1_000,), "dec_999/small")
    assert len(copy.events) == 1_000


def test_again_is_no_matter_where_nothing_is_lost(store: Store) -> None:
    copy = Copy()
    store.append([outcome(1)], fold)
    assert export_log(store, copy, again=True) == Exported(1, (0,), (1,))
    assert export_log(store, copy, again=True) == Exported(0, (1,), (1,))
    assert copy.began == [(0,)]


def test_the_first_copy_of_a_trimmed_log_begins_where_it_can(store: Store) -> None:
    copy = Copy()
    store.append([outcome(n, seconds=n * DAY_S) for n in range(4)], fold)
    store.trim(at(2 * DAY_S))
    assert export_log(store, copy) == Exported(2, (2,), (4,))


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_another_log_is_not_mixed_in(store: Store, others: int) -> None:
    copy = Copy()
    other = MemoryStore()
    other.append([outcome(7), outcome(8)], fold)
    export_log(other, copy)
    store.append([outcome(n) for n in range(others)], fold)
    with pytest.raises(InvalidInput, match="another log, or an older copy of it; export it to another folder"):
        export_log(store, copy, again=True)
