"""What a delivery has seen and neither committed nor kept elsewhere, by the parts of the store that it belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from tiercel.services.delivering.receipts import Batch


class Taken:
    """Batches in their order, for each part by itself. One thread changes it, any may ask for `batches` and `size`."""

    def __init__(self) -> None:
        self.size = 0
        self._of_part: dict[int, deque[Batch]] = {}

    @property
    def parts(self) -> Collection[int]:
        """Those that something is here for."""
        return [part for part, batches in self._of_part.items() if batches]

    @property
    def batches(self) -> Iterator[Batch]:
        """All of them."""
        return (batch for batches in tuple(self._of_part.values()) for batch in tuple(batches))

    def add(self, batches: Iterable[Batch]) -> None:
        """These came last."""
        for batch in batches:
            self._of_part.setdefault(batch.part, deque()).append(batch)
            self.size += 1

    def put_back(self, batches: Sequence[Batch]) -> None:
        """These were taken out, and come first."""
        for batch in reversed(batches):
            self._of_part.setdefault(batch.part, deque()).appendleft(batch)
            self.size += 1

    def take_out(self, parts: Iterable[int], events: float) -> list[Batch]:
        """What is here for these parts, but no more than so many events and those that came with the last of them."""
        found: list[Batch] = []
        for part in parts:
            batches = self._of_part.get(part)
            while batches and events > 0:
                found.append(batches.popleft())
                events -= len(found[-1].events)
        self.size -= len(found)
        return found
