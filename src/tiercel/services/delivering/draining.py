"""What waits in the outbox, on its way into the store that is back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf

from tiercel.domain.errors import StoreError
from tiercel.domain.events import Event
from tiercel.services.delivering.access import Access
from tiercel.services.delivering.keeping import Keeping

log = logging.getLogger("tiercel.delivery")


class Draining:
    """Empties the outbox, for each part of the store by itself. `committed` are in the store, `dropped` are lost.

    Up to `most` events go in one step, then none for as long as that took: so the process has time for its requests,
    however busy the machine is.
    """

    def __init__(self, keeping: Keeping, access: Access, *, most: int, monotonic_s: Callable[[], float]) -> None:
        self.committed = self.dropped = 0
        self._keeping = keeping
        self._access = access
        self._most = most
        self._monotonic_s = monotonic_s
        self._hurried = False
        self._left: float = inf
        self._next_at_s = -inf
        self._last_part = -1

    @property
    def due_s(self) -> float:
        """When something can be delivered; infinity where nothing waits."""
        return max(min(map(self._access.retry_at_s, self._keeping.parts), default=inf), self._next_at_s)

    def hurry(self, most: int) -> None:
        """Leave no time between steps any more."""
        self._most, self._hurried, self._next_at_s = most, True, -inf

    def drain(self, now_s: float) -> None:
        """Deliver some of what has waited longest, to one part after another."""
        parts = [part for part in self._keeping.parts if now_s >= self._access.retry_at_s(part)]
        if not parts or now_s < self._next_at_s:
            return
        began_s = self._monotonic_s()
        self._last_part = min((part for part in parts if part > self._last_part), default=min(parts))
        try:
            self._drain_part(self._last_part, self._most, now_s)
        except StoreError as error:
            if now_s >= self._access.whole.retry_at_s:  # it was the outbox
                self._access.unavailable(error, now_s)
        took_s = self._monotonic_s() - began_s
        left = self._keeping.outbox.waiting if self._keeping.outbox else 0
        # where more comes than goes, requests have to wait: else it would never end
        rests = not self._hurried and left < self._left
        self._left = left
        self._next_at_s = now_s + 2 * took_s if rests else -inf

    def _drain_part(self, part: int, left: int, now_s: float) -> None:
        outbox, together = self._keeping.outbox, left
        while outbox is not None and left > 0 and part in outbox.parts:
            events, mark = outbox.next(together, part)
            if not self._delivered(events, part, now_s) and len(events) > 1:
                together, left = 1, len(events)
                continue
            if now_s < self._access.retry_at_s(part):
                return
            outbox.delivered(mark, part)
            left -= together

    def _delivered(self, events: Sequence[Event], part: int, now_s: float) -> bool:
        """Commit what was kept. False where that failed by the fault of one of them, which alone is then lost."""
        if not events:
            return True
        try:
            appended = self._access.commit(events, [part], now_s)
        except StoreError:
            raise
        except Exception:
            if len(events) == 1:
                log.exception("an event that was kept cannot be committed, by a fault of tiercel: it is lost")
                self.dropped += 1
            return False
        if part not in appended.missing:
            if appended.conflicts:
                self.dropped += len(appended.conflicts)
                log.error("kept events are refused, their ids were used before: %s", ", ".join(appended.conflicts))
            self.committed += len(events) - len(appended.conflicts)
        return True
