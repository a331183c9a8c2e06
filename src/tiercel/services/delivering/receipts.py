"""What came together, who waits for it, and what they are told became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from tiercel.domain.events import Event
from tiercel.ports import Appended


class Receipt(NamedTuple):
    """What became of events: those that were new, and the ids used before for other content.

    `kept` says that the store was away: they are in the outbox, will outlive this process and be delivered, and what
    the store will say to them is not known yet.
    """

    accepted: tuple[Event, ...] = ()
    conflicts: tuple[str, ...] = ()
    kept: bool = False


@dataclass(slots=True)
class Batch:
    """Events that came together, and who waits for them. Without events: who waits for all that came before.

    `part` is the part of the store that all of them belong to, once that was asked for.
    """

    events: tuple[Event, ...]
    receipt: Future[Receipt] | None = None
    part: int = 0

    def settle(self, receipt: Receipt) -> None:
        """Tell who waits."""
        if self.receipt is not None:
            self.receipt.set_result(receipt)

    def fail(self, error: BaseException) -> None:
        """Tell who waits that the events are lost."""
        if self.receipt is not None:
            self.receipt.set_exception(error)

    def divided(self, part_of: Callable[[Event], int]) -> list[Batch]:
        """The same by the parts of the store. Who waits is told when something became of all of it."""
        shares: dict[int, list[Event]] = {}
        for event in self.events:
            shares.setdefault(part_of(event), []).append(event)
        if len(shares) == 1:
            (self.part,) = shares
            return [self]
        batches = [Batch(tuple(events), self.receipt and Future(), part) for part, events in shares.items()]
        for batch in batches:
            if batch.receipt is not None:
                batch.receipt.add_done_callback(partial(self._tell_of, batches))
        return batches

    def _tell_of(self, batches: Sequence[Batch], _: Future[Receipt]) -> None:
        receipts = [batch.receipt for batch in batches if batch.receipt is not None]
        if not all(receipt.done() for receipt in receipts):
            return
        lost = next((error for receipt in receipts if (error := receipt.exception()) is not None), None)
        if lost is not None:
            self.fail(lost)
            return
        told = [receipt.result() for receipt in receipts]
        place = {event.id: number for number, event in enumerate(self.events)}
        accepted = sorted((event for one in told for event in one.accepted), key=lambda event: place[event.id])
        conflicts = tuple(name for one in told for name in one.conflicts)
        self.settle(Receipt(tuple(accepted), conflicts, any(one.kept for one in told)))


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """How the way into the store is doing, in events. `error` is "" while the store answers.

    `buffered` wait in memory, `kept` in the outbox, which takes `keeps_at_most` (0 where there is none); `ever_kept`
    went into it. `committed` are in the store; `dropped` were lost: there was no room, or they were refused for good.
    `degraded`: see `Delivery`.
    """

    buffered: int
    dropped: int
    committed: int
    error: str
    degraded: bool
    kept: int = 0
    keeps_at_most: int = 0
    ever_kept: int = 0


def events_of(batches: Sequence[Batch]) -> list[Event]:
    """All of theirs, in order."""
    return [event for batch in batches for event in batch.events]


def size_of(batches: Iterable[Batch]) -> int:
    """How many events they have."""
    return sum(len(batch.events) for batch in batches)


def settle(batches: Sequence[Batch], appended: Appended) -> None:
    """Tell each what became of its own events: the log keeps the order in which they came.

    Nobody knows that of those whose part of the store is missing.
    """
    accepted = deque(appended.accepted)
    conflicts = deque(appended.conflicts)
    for batch in batches:
        mine: list[Event] = []
        refused: list[str] = []
        for event in batch.events:
            if accepted and accepted[0].id == event.id:
                mine.append(accepted.popleft())
            elif conflicts and conflicts[0] == event.id:
                refused.append(conflicts.popleft())
        if batch.part not in appended.missing:
            batch.settle(Receipt(tuple(mine), tuple(refused)))
