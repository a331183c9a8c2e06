"""The way into the store, step by step: nothing overtakes, nothing acknowledged is lost, what is lost is counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import pytest

from support.happenings import SEGMENTS, decision, feedback, outcome
from support.outbox import MemoryOutbox
from support.routing import TroubledStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import BufferFull, InvalidInput, StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.domain.request import Segment
from tiercel.ports import Appended, Fold
from tiercel.services.delivering.delivery import CommitSettings, Delivery
from tiercel.services.delivering.receipts import Receipt

FOREVER = 1_000_000
SETTINGS = CommitSettings(first_retry_s=1.0, last_retry_s=8.0, max_batch=10, max_drained=10)


@dataclass
class Way:
    """A delivery into a store in the test's hands."""

    outbox: MemoryOutbox | None = field(default_factory=MemoryOutbox)
    settings: CommitSettings = SETTINGS
    jitter: float = 1.0
    store: TroubledStore = field(default_factory=TroubledStore)
    now_s: float = 0.0
    idled: int = 0
    spent_s: float = 0.0
    commit_takes_s: float = 0.0

    def __post_init__(self) -> None:
        self.delivery = Delivery(
            self._commit,
            self._idle,
            part_of=self.store.part_of,
            monotonic_s=self._clock,
            outbox=self.outbox,
            settings=self.settings,
            jitter=lambda: self.jitter,
        )

    def _clock(self) -> float:
        return self.now_s + self.spent_s

    def _commit(self, events: Sequence[Event]) -> Appended:
        self.spent_s += self.commit_takes_s
        return self.store.append(events, fold)

    def _idle(self) -> Mapping[int, str]:
        self.idled += 1
        if self.store.away:
            raise StoreUnavailable("scripted")
        return self.store.missing

    def step(self, *, after_s: float = 0.0) -> float:
        self.now_s += after_s
        return self.delivery.step(self.now_s)

    def send(self, *events: Event) -> Future[Receipt]:
        return self.delivery.send(events)

    @property
    def logged(self) -> list[str]:
        return [event.id for event in self.store.events_after((), 1000)[0]]


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def test_while_the_store_answers_the_outbox_sees_nothing() -> None:
    way = Way()
    receipts = [way.send(outcome(number)) for number in range(3)]
    assert way.step() == SETTINGS.idle_s
    assert [len(receipt.result(0).accepted) for receipt in receipts] == [1, 1, 1]
    assert (way.store.tried, way.delivery.status().ever_kept) == (1, 0)


def test_what_comes_while_the_store_is_away_is_kept_acknowledged_and_delivered_in_order_once() -> None:
    way = Way()
    way.store.away = 2
    first = way.send(decision(1))
    assert way.step() == 1.0  # until the store is tried again
    second = way.send(feedback("f1", decision_id="dec_1"))
    way.delivery.leave((outcome(1),))
    assert way.step(after_s=0.5) == 0.5
    assert [receipt.result(0) for receipt in (first, second)] == [Receipt(kept=True)] * 2
    status = way.delivery.status()
    assert (status.kept, status.buffered, status.dropped, status.degraded) == (3, 0, 0, True)
    assert way.store.tried == 1
    assert way.step(after_s=0.5) == 2.0  # tried and still away: twice as long
    assert way.logged == []
    third = way.send(outcome(2))
    assert way.step(after_s=2.0) == SETTINGS.idle_s
    assert third.result(0).kept, "nothing goes past what waits"
    assert way.logged == ["dec_1", "f1", "dec_1/small", "dec_2/small"]
    assert way.send(outcome(3)) is not None
    way.step()
    assert (way.delivery.status().committed, way.delivery.degraded) == (5, False)
    assert way.delivery.status().ever_kept == 4


def test_many_are_drained_in_several_steps_before_what_comes_meanwhile() -> None:
    way = Way()
    way.store.away = 1
    for number in range(25):
        way.delivery.leave((outcome(number),))
    while way.delivery.pending:
        way.step()
    way.now_s = 1.0
    way.delivery.leave((outcome(25),))
    assert [way.step() for _ in range(3)] == [0.0, 0.0, 1.0]
    assert way.logged == [f"dec_{number}/small" for number in range(26)]


def test_what_a_process_left_behind_goes_first() -> None:
    outbox = MemoryOutbox()
    outbox.add([outcome(1)])
    way = Way(outbox)
    assert way.delivery.degraded
    way.delivery.leave((outcome(2),))
    way.step()
    assert way.logged == ["dec_1/small", "dec_2/small"]


def test_a_kept_event_may_have_been_logged_before_and_counts_once() -> None:
    way = Way()
    way.store.append([outcome(1)], fold)  # the answer was lost
    way.store.away = 1
    way.delivery.leave((outcome(1),))
    way.step()
    way.step(after_s=1.0)
    assert way.logged == ["dec_1/small"]


def test_pauses_double_with_chance_and_begin_anew_after_an_answer() -> None:
    way = Way(jitter=0.0)
    way.store.away = 6
    way.delivery.leave((outcome(1),))
    pauses_s = [way.step()]
    while way.store.away:
        pauses_s.append(way.step(after_s=pauses_s[-1]))
    assert pauses_s == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    way.step(after_s=pauses_s[-1])
    way.store.away = 1
    way.delivery.leave((outcome(2),))
    assert way.step() == 0.5


def test_a_full_outbox_refuses_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    way = Way(MemoryOutbox(limit=3))
    way.store.away = FOREVER
    fits = way.send(outcome(1), outcome(2))
    too_many = way.send(outcome(3), outcome(4))
    way.delivery.leave((outcome(5),))
    way.step()
    assert fits.result(0).kept
    with pytest.raises(BufferFull, match="the outbox takes 3"):
        too_many.result(0)
    assert ids(tuple(way.outbox.events if way.outbox else ())) == ["dec_1/small", "dec_2/small", "dec_5/small"]
    way.delivery.leave((outcome(6),))
    way.step()
    assert way.delivery.status().dropped == 3
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1, "it is said once"
    way.store.away = 0
    way.step(after_s=10.0)
    assert len(way.logged) == 3


@pytest.mark.parametrize("outbox", [None, MemoryOutbox()], ids=["none", "unwritable"])
def test_memory_keeps_a_bounded_number_where_nothing_else_can(outbox: MemoryOutbox | None) -> None:
    if outbox is not None:
        outbox.broken = True
    way = Way(outbox, CommitSettings(first_retry_s=1.0, last_retry_s=1.0, max_buffered=2))
    way.store.away = FOREVER
    waiting = way.send(outcome(1))
    way.step()
    assert way.delivery.leave((outcome(2),))
    assert not way.delivery.leave((outcome(3),))
    with pytest.raises(BufferFull, match="2 batches wait"):
        way.send(outcome(4))
    assert not waiting.done()
    status = way.delivery.status()
    assert (status.buffered, status.dropped, "no space" in status.error) == (2, 2, outbox is not None)
    way.store.away = 0
    way.step(after_s=1.0)
    way.step()
    assert waiting.result(0).accepted
    assert way.logged == ["dec_1/small", "dec_2/small"]


def test_an_outbox_that_can_be_written_again_takes_over_from_memory() -> None:
    outbox = MemoryOutbox()
    outbox.broken = True
    way = Way(outbox)
    way.store.away = FOREVER
    waiting = way.send(outcome(1))
    way.step()
    outbox.broken = False
    way.step(after_s=1.0)
    assert waiting.result(0).kept
    assert "no space" not in way.delivery.status().error


def test_who_waits_for_all_that_came_before_waits_for_the_outbox_too() -> None:
    way = Way()
    way.store.away = 1
    way.delivery.leave((outcome(1),))
    all_of_it = way.send()
    way.step()
    assert not all_of_it.done()
    way.step(after_s=1.0)
    assert all_of_it.result(0) == Receipt()


def test_an_event_that_cannot_be_committed_or_written_down_takes_no_other_down() -> None:
    way = Way()

    def commit(events: Sequence[Event]) -> Appended:
        if any(event.id == "dec_2/small" for event in events):
            raise ZeroDivisionError
        return way.store.append(events, fold)

    way.delivery._access._commit = commit
    receipts = [way.send(outcome(number)) for number in range(1, 4)]
    way.step()
    assert [receipt.exception(0) is None for receipt in receipts] == [True, False, True]
    way.store.away = 1
    for number in (4, 2, 5):
        way.delivery.leave((outcome(number),))
    way.step()
    way.step(after_s=1.0)
    assert way.logged == [f"dec_{number}/small" for number in (1, 3, 4, 5)]
    assert way.delivery.status().dropped == 2

    def add(events: Sequence[Event], _: Sequence[int]) -> None:
        if any(event.id == "dec_7/small" for event in events):
            raise InvalidInput("no JSON")
        way.outbox.events.extend(events)  # type: ignore[union-attr]

    way.outbox.add = add  # type: ignore[union-attr, method-assign]
    way.store.away = 1
    receipts = [way.send(outcome(number)) for number in range(6, 9)]
    way.step()
    assert [receipt.exception(0) is None for receipt in receipts] == [True, False, True]


def test_an_event_at_fault_makes_no_step_longer_than_its_company() -> None:
    way = Way()
    assert way.outbox is not None
    way.outbox.add([feedback("bad", metadata={"x": object()}), *(feedback(f"f{number}") for number in range(60))])
    way.step()
    assert way.outbox.waiting == 51, "ten were delivered one by one, the others wait for steps of their own"
    way.send(feedback("new"))
    for _ in range(7):
        way.step()
    assert (way.delivery.status().dropped, way.outbox.waiting) == (1, 0)
    assert way.logged == [*(f"f{number}" for number in range(60)), "new"]


def test_a_store_that_refuses_for_good_keeps_what_was_acknowledged_and_without_an_outbox_tells_the_caller() -> None:
    refused = StoreError("a key of another type")

    def refuse(_: Sequence[Event]) -> Appended:
        raise refused

    for outbox in (MemoryOutbox(), None):
        way = Way(outbox)
        way.delivery._access._commit = refuse
        receipt = way.send(outcome(1))
        way.step()
        way.step(after_s=1.0)
        assert receipt.exception(0) is (None if outbox else refused)
        assert (way.delivery.status().kept, way.delivery.status().dropped) == ((1, 0) if outbox else (0, 1))


def test_a_kept_rating_whose_id_was_used_is_said_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    way = Way()
    way.store.append([feedback("f1", 0.5)], fold)
    way.store.away = 1
    way.delivery.leave((feedback("f1", 0.6),))
    way.step()
    way.step(after_s=1.0)
    assert "their ids were used before: f1" in caplog.text
    assert way.delivery.status().dropped == 1


def test_housekeeping_looks_for_a_store_nobody_else_asks_for() -> None:
    way = Way()
    way.store.away = 1
    assert way.step(after_s=1.0) == 1.0
    assert (way.idled, way.delivery.degraded) == (1, True)
    way.store.away = 0
    assert way.step(after_s=1.0) == SETTINGS.idle_s
    assert (way.idled, way.delivery.degraded) == (2, False)


@pytest.mark.parametrize(("away", "kept", "dropped"), [(0, 0, 0), (FOREVER, 3, 0)])
def test_at_the_end_all_is_delivered_or_kept(away: int, kept: int, dropped: int) -> None:
    way = Way(settings=CommitSettings(max_batch=1))
    way.store.away = away
    receipts = [way.send(outcome(number)) for number in range(3)]
    last = way.send()
    way.delivery.finish(lambda: way.now_s)
    status = way.delivery.status()
    assert (status.kept, status.dropped) == (kept, dropped)
    assert [receipt.result(0).kept for receipt in receipts] == [bool(kept)] * 3
    assert (last.exception(0) is None) == (not kept)
    assert way.outbox is not None
    assert way.outbox.closed == 1


def test_without_an_outbox_what_cannot_be_delivered_at_the_end_is_lost_and_said() -> None:
    way = Way(None)
    way.store.away = FOREVER
    receipt = way.send(outcome(1))
    way.delivery.finish(lambda: way.now_s)
    with pytest.raises(StoreUnavailable, match="scripted"):
        receipt.result(0)
    assert way.delivery.status().dropped == 1


def test_draining_leaves_time_for_other_work() -> None:
    way = Way(settings=CommitSettings(first_retry_s=1.0, last_retry_s=1.0, max_drained=10), commit_takes_s=0.125)
    way.store.away = 1
    for number in range(25):
        way.delivery.leave((outcome(number),))
    way.step()
    assert way.step(after_s=1.0) == 0.25
    assert way.step(after_s=0.125) == 0.125
    assert len(way.logged) == 10, "the next are not due yet"
    way.step(after_s=0.125)
    assert len(way.logged) == 20
    way.delivery.finish(lambda: way.now_s)
    assert len(way.logged) == 25, "at the end nothing else is to be done"


class InParts(TroubledStore):
    """A store of which the part of some segments is away."""

    def __init__(self, *gone: Segment) -> None:
        super().__init__()
        self.gone = set(gone)

    def part_of(self, event: Event) -> int:
        return SEGMENTS.index(getattr(event, "segment", SEGMENTS[0]))

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        missing = {SEGMENTS.index(segment): "gone" for segment in self.gone}
        there = super().append([event for event in events if self.part_of(event) not in missing], fold)
        return replace(there, missing={part: why for part, why in missing.items() if part in map(self.part_of, events)})


def test_of_a_batch_for_two_parts_each_gets_its_own_and_who_waits_is_told_once() -> None:
    here, there = SEGMENTS[:2]
    way = Way(store=InParts(there))
    mixed = way.send(outcome(1, segment=there), outcome(2, segment=here), outcome(3, segment=here))
    way.step()
    accepted, conflicts, kept = mixed.result(0)
    assert (ids(accepted), conflicts, kept) == (["dec_2/small", "dec_3/small"], (), True)
    assert way.delivery.keeping.parts == [1]
    alone = way.send(outcome(4, segment=there))
    other = way.send(outcome(5, segment=here))
    last = way.send()
    way.step()
    assert (alone.result(0).kept, other.result(0).kept, last.done()) == (True, False, False)
    assert way.delivery.degraded
    assert isinstance(way.store, InParts)
    way.store.gone.clear()
    way.step(after_s=10.0)
    assert (last.result(0), way.delivery.degraded) == (Receipt(), False)
    assert way.logged == [f"dec_{number}/small" for number in (2, 3, 5, 1, 4)]


def test_without_an_outbox_memory_keeps_what_belongs_to_a_part_that_is_away_and_nothing_else() -> None:
    here, there = SEGMENTS[:2]
    way = Way(None, store=InParts(there))
    waiting, done = way.send(outcome(1, segment=there)), way.send(outcome(2, segment=here))
    way.step()
    assert (waiting.done(), done.done()) == (False, True)
    later = way.send(outcome(3, segment=here))
    way.step()
    assert later.done()
    assert isinstance(way.store, InParts)
    way.store.gone.clear()
    way.step(after_s=10.0)
    assert waiting.result(0).accepted
