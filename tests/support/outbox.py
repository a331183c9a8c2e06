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
        self.events: deque[Event] = deque()

    @property
    def waiting(self) -> int:
        return len(self.events)

    def add(self, events: Sequence[Event]) -> None:
        self._reach()
        self.events.extend(events)

    def next(self, limit: int) -> tuple[Sequence[Event], int]:
        self._reach()
        found = tuple(islice(self.events, limit))
        return found, len(found)

    def delivered(self, mark: int) -> None:
        for _ in range(mark):
            self.events.popleft()

    def about(self, decision_id: str) -> Sequence[Event]:
        found = (event for event in tuple(self.events) if isinstance(event, Decision | Outcome))
        return [event for event in found if decision_id == getattr(event, "decision_id", event.id)]

    def close(self) -> None:
        self.closed += 1

    def _reach(self) -> None:
        if self.broken:
            raise StoreUnavailable("no space left on device")
