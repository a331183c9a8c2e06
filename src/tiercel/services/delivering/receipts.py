"""What came together, who waits for it, and what they are told became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
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
    """Events that came together, and who waits for them. Without events: who waits for all that came before."""

    events: tuple[Event, ...]
    receipt: Future[Receipt] | None = None

    def settle(self, receipt: Receipt) -> None:
        """Tell who waits."""
        if self.receipt is not None:
            self.receipt.set_result(receipt)

    def fail(self, error: Exception) -> None:
        """Tell who waits that the events are lost."""
        if self.receipt is not None:
            self.receipt.set_exception(error)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """How the way into the store is doing, in events. `error` is "" while the store answers.

    `buffered` wait in memory, `kept` in the outbox, which takes `keeps_at_most` (0 where there is none); `ever_kept`
    went into it. `committed` are in the store; `dropped` were lost: there was no room, or they were refused for good.
    """

    buffered: int
    dropped: int
    committed: int
    error: str
    kept: int = 0
    keeps_at_most: int = 0
    ever_kept: int = 0

    @property
    def degraded(self) -> bool:
        """Whether the store is away, or has not got yet what came while it was."""
        return bool(self.error or self.kept)


def events_of(batches: Sequence[Batch]) -> list[Event]:
    """All of theirs, in order."""
    return [event for batch in batches for event in batch.events]


def size_of(batches: Iterable[Batch]) -> int:
    """How many events they have."""
    return sum(len(batch.events) for batch in batches)


def settle(batches: Sequence[Batch], appended: Appended | None) -> None:
    """Tell each what became of its own events: the log keeps the order in which they came."""
    accepted = deque(appended.accepted if appended else ())
    conflicts = deque(appended.conflicts if appended else ())
    for batch in batches:
        mine: list[Event] = []
        refused: list[str] = []
        for event in batch.events:
            if accepted and accepted[0].id == event.id:
                mine.append(accepted.popleft())
            elif conflicts and conflicts[0] == event.id:
                refused.append(conflicts.popleft())
        batch.settle(Receipt(tuple(mine), tuple(refused)))
