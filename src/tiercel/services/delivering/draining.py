"""What waits in the outbox, on its way into the store that is back."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tiercel.domain.errors import StoreError
from tiercel.domain.events import Event
from tiercel.services.delivering.access import Access
from tiercel.services.delivering.keeping import Keeping

log = logging.getLogger("tiercel.delivery")


class Draining:
    """Empties the outbox, for each part of the store by itself. `committed` are in the store, `dropped` are lost."""

    def __init__(self, keeping: Keeping, access: Access) -> None:
        self.committed = self.dropped = 0
        self._keeping = keeping
        self._access = access

    def drain(self, most: int, now_s: float) -> bool:
        """Deliver up to `most` of what has waited longest; whether anything was to be delivered."""
        parts = [part for part in self._keeping.parts if now_s >= self._access.retry_at_s(part)]
        for part in parts:
            try:
                self._drain_part(part, max(most // len(parts), 1), now_s)
            except StoreError as error:
                if now_s >= self._access.whole.retry_at_s:  # it was the outbox
                    self._access.unavailable(error, now_s)
                break
        return bool(parts)

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
