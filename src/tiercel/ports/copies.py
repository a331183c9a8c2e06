"""What keeps events besides the store: before it has them, and after it has let them go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tiercel.domain.events import Event
from tiercel.ports.stores import Position


class Outbox(Protocol):
    """Events on their way to a store that is away, in the order they came. What `add` returned for survives a crash.

    Those of each part of the store (`EventStore.part_of`) are delivered by themselves, for parts may be away alone.
    It belongs to one process, and one thread at a time uses it; any may ask `about` what waits.
    """

    @property
    def waiting(self) -> int:
        """How many events are to be delivered yet."""
        ...

    @property
    def limit(self) -> int:
        """How many may wait; whoever adds sees to it."""
        ...

    @property
    def parts(self) -> Sequence[int]:
        """The parts that events are to be delivered to."""
        ...

    def add(self, events: Sequence[Event], parts: Sequence[int] = ()) -> None:
        """Keep `events`, all or none of them, each for its part (0 where none are named).

        Raises `StoreError` where that cannot be, `InvalidInput` for an event that cannot be written down.
        """
        ...

    def next(self, limit: int, part: int = 0) -> tuple[Sequence[Event], int]:
        """Up to `limit` events that have waited longest for a part, and a mark for `delivered`: 0 where nothing waits.

        Those that were damaged are left out. Raises `StoreError` where they cannot be read now.
        """
        ...

    def delivered(self, mark: int, part: int = 0) -> None:
        """What the last `next` of that part gave wait no longer. After a crash some of them may wait again."""
        ...

    def about(self, decision_id: str) -> Sequence[Event]:
        """The decision of that id and its outcomes, as far as they wait, in order. Raises `StoreError`."""
        ...

    def close(self) -> None:
        """Release what is held; what waits is kept for the next process. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log was copied: the position of the last event that was, and its id ("" where there is none)."""

    position: Position
    event_id: str = ""


class Archive(Protocol):
    """A copy of the log, in its order, that outlives it. What `mark` says was copied survives the end of the process.

    `add` gathers and writes as memory demands; what was added since the last writing is lost in a crash, and `mark`
    then says where to go on.
    """

    @property
    def mark(self) -> Mark | None:
        """How far the log was copied; None where nothing was begun."""
        ...

    def begin(self, position: Position) -> None:
        """What is added next was logged after `position`; what is missing before stays missing."""
        ...

    def add(self, events: Sequence[Event], position: Position) -> None:
        """The next events of the log, at least one, after which one has read up to `position`."""
        ...

    def flush(self) -> None:
        """Write what was added."""
        ...
