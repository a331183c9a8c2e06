"""A delivery without a thread: those who call do what is due, and what is kept goes with the next that gets through.

The twin of group_commit.py, for programs that rate now and then and want nothing to run beside them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Lock

from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import EventStore, Fold, Outbox
from tiercel.services.delivering.delivery import CommitSettings, Delivery
from tiercel.services.delivering.receipts import CommitStatus, Receipt

log = logging.getLogger("tiercel.delivery")


class DirectCommit:
    """Appends events to `store`, in order; keeps them in `outbox`, else in memory, while it is away. Thread-safe.

    Of threads that come together one commits for all.
    """

    def __init__(
        self,
        store: EventStore,
        fold: Fold,
        *,
        monotonic_s: Callable[[], float],
        outbox: Outbox | None,
        settings: CommitSettings,
        jitter: Callable[[], float],
    ) -> None:
        commit = partial(store.append, fold=fold)
        self._delivery = Delivery(
            commit, part_of=store.part_of, monotonic_s=monotonic_s, outbox=outbox, settings=settings, jitter=jitter
        )
        self._delivery.hurry()  # whoever rates waits for it, and there is no other work
        self._monotonic_s = monotonic_s
        self._lock = Lock()

    def status(self) -> CommitStatus:
        """How the way into the store is doing."""
        return self._delivery.status()

    def send(self, events: Sequence[Event]) -> Receipt | None:
        """What became of events, or None where memory keeps them. Raises `BufferFull`, and what committing raised."""
        receipt: Future[Receipt] = self._delivery.send(tuple(events))
        with self._lock:
            if not receipt.done():
                self._delivery.step(self._monotonic_s())
        if receipt.done():
            return receipt.result()
        receipt.add_done_callback(_told_too_late)
        return None

    def flush(self) -> None:
        """Deliver what waits, however lately the store was tried. Raises `StoreUnavailable` if it is away."""
        with self._lock:
            if self._delivery.waiting:
                self._delivery.retry()
            while self._delivery.waiting:
                self._delivery.step(self._monotonic_s())
                if self._delivery.away:
                    raise StoreUnavailable(self._delivery.away)

    def finish(self) -> None:
        """Deliver what waits; what cannot be delivered stays in the outbox, or else is lost and said in the log."""
        with self._lock:
            self._delivery.finish(self._monotonic_s)


def _told_too_late(receipt: Future[Receipt]) -> None:
    """Nobody waits for it any more; what is lost is counted and said by the delivery."""
    if receipt.exception() is None and receipt.result().conflicts:
        log.error("kept events are refused, their ids were used before: %s", ", ".join(receipt.result().conflicts))
