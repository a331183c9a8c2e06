"""What the store has not got is put into the outbox, where there is one, for each part of the store by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tiercel.domain.errors import BufferFull, StoreError
from tiercel.domain.events import Event
from tiercel.ports import Outbox
from tiercel.services.delivering.receipts import Batch, Receipt, events_of, size_of

log = logging.getLogger("tiercel.delivery")


class Keeping:
    """An outbox, if there is one. `error` is "" while it can be written.

    `ever_kept` events went into it; `dropped` were lost on the way: there was no room, or no way to write them down.
    """

    def __init__(self, outbox: Outbox | None) -> None:
        self.outbox = outbox
        self.error = ""
        self.ever_kept = 0
        self.dropped = 0

    @property
    def behind(self) -> bool:
        """Whether something waits."""
        return self.outbox is not None and self.outbox.waiting > 0

    @property
    def parts(self) -> Sequence[int]:
        """The parts of the store that something waits for; until it has been delivered nothing goes past it."""
        return () if self.outbox is None else self.outbox.parts

    def about(self, decision_id: str) -> Sequence[Event]:
        """What waits of a decision and its outcomes; from any thread."""
        if self.outbox is None or not self.behind:
            return ()
        try:
            return self.outbox.about(decision_id)
        except StoreError as error:  # damaged, or emptied at this moment: then the store knows
            log.debug("the outbox cannot be asked: %s", error)
            return ()

    def keep(self, batches: Sequence[Batch]) -> list[Batch]:
        """Keep what comes in these, and acknowledge it; those that stay in memory, as the outbox cannot be written."""
        if self.outbox is None or not batches:
            return list(batches)
        kept, refused = _divided(batches, self.outbox.limit - self.outbox.waiting)
        events = events_of(kept)
        try:
            if events:
                self.outbox.add(events, [batch.part for batch in kept for _ in batch.events])
        except StoreError as error:
            if not self.error:
                log.warning("the outbox cannot be written, memory keeps what it has room for: %s", error)
            self.error = str(error)
            return list(batches)
        except Exception as fault:
            if len(batches) > 1:  # an event that cannot be written down must not take its company down
                return [left for batch in batches for left in self.keep([batch])]
            log.exception("an event cannot be written down and is lost")
            self._refuse(batches, fault)
            return []
        self.error = ""
        self.ever_kept += len(events)
        for batch in kept:
            batch.settle(Receipt(kept=True))
        if refused:
            self._refuse(refused, self._full(self.outbox))
        return []

    def close(self) -> None:
        """Let go of the outbox; what waits stays in it."""
        if self.outbox is not None:
            self.outbox.close()

    def _full(self, outbox: Outbox) -> BufferFull:
        error = BufferFull(
            f"the store is away and {outbox.waiting} events wait for it, the outbox takes {outbox.limit}: these are not"
            " kept; give them again when the store is back"
        )
        if not self.dropped:
            log.error("%s", error)
        return error

    def _refuse(self, batches: Sequence[Batch], error: Exception) -> None:
        self.dropped += size_of(batches)
        for batch in batches:
            batch.fail(error)


def _divided(batches: Sequence[Batch], room: int) -> tuple[list[Batch], list[Batch]]:
    """The batches for which there is room, and those for which there is none."""
    kept: list[Batch] = []
    refused: list[Batch] = []
    for batch in batches:
        fits = len(batch.events) <= room
        room -= len(batch.events) if fits else 0
        (kept if fits else refused).append(batch)
    return kept, refused
