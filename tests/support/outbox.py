"""The outbox that lives as long as the test: the model of the one in a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event, Outcome


class MemoryOutbox:
    """Keeps up to `limit` events; `broken` says that nothing can be written or read."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.broken = False
        self.closed = 0
        self.queues: dict[int, deque[Event]] = {}

    @property
    def events(self) -> deque[Event]:
        """What waits for the first part, which may be all there is."""
        return self.queues.setdefault(0, deque())

    @property
    def waiting(self) -> int:
        return sum(map(len, self.queues.values()))

    @property
    def parts(self) -> Sequence[int]:
        return [part for part, queue in self.queues.items() if queue]

    def add(self, events: Sequence[Event], parts: Sequence[int] = ()) -> None:
        self._reach()
        for event, part in zip(events, parts or [0] * len(events), strict=True):
            self.queues.setdefault(part, deque()).append(event)

    def next(self, limit: int, part: int = 0) -> tuple[Sequence[Event], int]:
        self._reach()
        found = tuple(islice(self.queues.get(part, ()), limit))
        return found, len(found)

    def delivered(self, mark: int, part: int = 0) -> None:
        for _ in range(mark):
            self.queues[part].popleft()

    def about(self, decision_id: str) -> Sequence[Event]:
        waiting = [event for queue in tuple(self.queues.values()) for event in tuple(queue)]
        found = (event for event in waiting if isinstance(event, Decision | Outcome))
        return [event for event in found if decision_id == getattr(event, "decision_id", event.id)]

    def close(self) -> None:
        self.closed += 1

    def _reach(self) -> None:
        if self.broken:
            raise StoreUnavailable("no space left on device")
