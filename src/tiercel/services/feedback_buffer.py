"""Ratings on their way to a store that may be away: kept in order, bounded, delivered with the next success."""

from __future__ import annotations

import logging
import threading
from collections import deque
from itertools import islice

from tiercel.domain.errors import BufferFull, Conflict, StoreError, StoreUnavailable
from tiercel.domain.events import Feedback
from tiercel.ports import EventStore, Fold

log = logging.getLogger("tiercel.feedback")

_BATCH = 1000


class FeedbackBuffer:
    """Appends ratings to `store` and keeps up to `limit` of them while it is away. Thread-safe.

    `waiting` ratings are kept in this process's memory; `delivered_late` counts those that got through after all.
    """

    def __init__(self, store: EventStore, fold: Fold, *, limit: int) -> None:
        self._store = store
        self._fold = fold
        self._limit = limit
        self._waiting: deque[Feedback] = deque()
        self._lock = threading.Lock()
        self.delivered_late = 0

    @property
    def waiting(self) -> int:
        """How many ratings the store has not got yet."""
        return len(self._waiting)

    def append(self, rating: Feedback) -> None:
        """Log one rating after those that wait, or keep it.

        Raises `BufferFull` when the store is away and the bound is reached: then the rating is not kept. Raises
        `Conflict` when its id was used before for another rating.
        """
        try:
            self.flush()
            conflicts = self._store.append((rating,), self._fold).conflicts
        except StoreUnavailable as error:
            self._keep(rating, error)
            return
        if conflicts:
            raise Conflict(rating.id)

    def flush(self) -> None:
        """Deliver what waits. Raises `StoreUnavailable` if the store is still away; what waits is kept then."""
        if not self._waiting:
            return
        with self._lock:
            late = len(self._waiting)
            while batch := tuple(islice(self._waiting, _BATCH)):
                conflicts = self._store.append(batch, self._fold).conflicts
                for _ in batch:
                    self._waiting.popleft()
                self.delivered_late += len(batch) - len(conflicts)
                if conflicts:
                    log.error("ratings that waited are refused, their ids were used before: %s", ", ".join(conflicts))
        if late:
            log.warning("the store is back: %d ratings that waited for it went through", late)

    def close(self) -> None:
        """Deliver what waits; what cannot be delivered is lost with this process and said in the log."""
        try:
            self.flush()
        except StoreError as error:
            log.error("%d ratings could not be delivered and are lost: %s", self.waiting, error)  # noqa: TRY400

    def _keep(self, rating: Feedback, error: StoreUnavailable) -> None:
        with self._lock:
            if len(self._waiting) >= self._limit:
                raise BufferFull(
                    f"the store is away ({error}) and {self._limit} ratings wait for it already: this one is not kept;"
                    " give it again when the store is back"
                ) from error
            self._waiting.append(rating)
            first = len(self._waiting) == 1
        if first:
            log.warning("the store is away, ratings are kept in memory until it is back: %s", error)
