"""Many writers, one commit: the thread that runs a delivery, so that what comes together is committed together.

A caller that wants an acknowledgement waits for its commit; one that does not leaves its events and goes on, and they
are committed within `linger_s`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future

from tiercel.domain.errors import StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.services.delivering.delivery import Delivery
from tiercel.services.delivering.receipts import Receipt

log = logging.getLogger("tiercel.delivery")


class GroupCommit:
    """Steps `delivery` from one thread, when something comes and when something is due. Thread-safe."""

    def __init__(self, delivery: Delivery, monotonic_s: Callable[[], float]) -> None:
        self._delivery = delivery
        self._monotonic_s = monotonic_s
        self._due_s = monotonic_s()
        self._pid = os.getpid()
        # Leaving takes no lock: setting an event is atomic, and the thread looks for work again after it has cleared
        # an event and before it waits for it.
        self._work = threading.Event()
        self._urgent = threading.Event()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def leave(self, events: tuple[Event, ...]) -> bool:
        """Leave events to be committed soon; about 1 us. False if memory is full: they are dropped, and counted."""
        self._ensure_open()
        if not self._delivery.leave(events):
            return False
        if not self._work.is_set():
            self._work.set()
        return True

    def send(self, events: tuple[Event, ...]) -> Future[Receipt]:
        """Commit events at once; the future is done when they are durable, and may raise. Raises `BufferFull`."""
        self._ensure_open()
        receipt = self._delivery.send(events)
        self._urgent.set()
        self._work.set()
        return receipt

    def start(self) -> None:
        """Start the thread, if it does not run yet. Raises `StoreUnavailable` after `close`."""
        with self._starting:
            if self._thread is None:
                if self._closing.is_set():
                    raise _closed()
                self._thread = threading.Thread(target=self._run, name="tiercel-commit", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Commit what is buffered and stop; idempotent. What is lost is said in the log."""
        with self._starting:
            first = not self._closing.is_set()
            self._closing.set()
            self._urgent.set()
            self._work.set()
            thread = self._thread
        if thread is not None:
            thread.join()
        if first:
            self._delivery.finish(self._monotonic_s)

    def _ensure_open(self) -> None:
        if self._closing.is_set():
            raise _closed()
        if self._pid != os.getpid():
            raise StoreError("this was opened before the process forked: open the store in each process for itself")
        if self._thread is None:
            self.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                wait_s = self._delivery.step(self._now_s())
            except Exception:  # a thread that ended would leave everyone waiting for ever
                log.exception("a step of the delivery failed by a fault of tiercel")
                wait_s = self._delivery.settings.first_retry_s
            self._wait(wait_s)

    def _now_s(self) -> float:
        # a wait that has run its course is over, also by a clock that moves only when it is told to
        return max(self._monotonic_s(), self._due_s)

    def _wait(self, wait_s: float) -> None:
        """Until something is due, or comes and can be done something with."""
        if wait_s <= 0:
            return
        began_s, holding = self._now_s(), self._delivery.holding
        self._work.clear()
        if holding or not self._delivery.pending:
            # what memory holds waits for the store; until that is tried again nothing can be done with what comes
            came = (self._closing if holding else self._work).wait(wait_s)
            if not came:
                self._due_s = began_s + wait_s
        if self._delivery.pending and not holding:
            self._urgent.wait(self._delivery.settings.linger_s)
        self._urgent.clear()


def _closed() -> StoreUnavailable:
    return StoreUnavailable("the way into the store is closed")
