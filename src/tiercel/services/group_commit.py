"""Many writers, one commit: events gather in a buffer and one thread commits them together.

A caller that wants an acknowledgement waits for its commit; one that does not leaves its events and goes on, and they
are committed within `linger_s`. While the store is away the buffer keeps what arrives, up to a bound; what exceeds it
is refused and counted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from tiercel.domain.errors import BufferFull, StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Appended

log = logging.getLogger("tiercel.learner")


class Receipt(NamedTuple):
    """What became of the events of one commit: those that were new, and the ids used before for other content."""

    accepted: tuple[Event, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """How the way into the store is doing, in events. `error` is "" while the store answers."""

    buffered: int
    dropped: int
    committed: int
    error: str

    @property
    def degraded(self) -> bool:
        """Whether the store is away."""
        return bool(self.error)


@dataclass(frozen=True, slots=True)
class CommitSettings:
    """`linger_s`: how long unawaited events may wait for company; `idle_s`: how often `idle` runs, about.

    `max_batch` events are committed together, `max_buffered` batches kept. Retries double from `first_retry_s` on.
    """

    linger_s: float = 0.05
    idle_s: float = 1.0
    max_batch: int = 2_000
    max_buffered: int = 100_000
    first_retry_s: float = 0.05
    last_retry_s: float = 1.0


@dataclass(slots=True)
class _Batch:
    events: tuple[Event, ...]
    receipt: Future[Receipt] | None


class GroupCommit:
    """Hands what was left here to `commit`, from one thread, in order; runs `idle` between commits, now and then.

    `commit` and `idle` raise `StoreUnavailable` to be tried again. Thread-safe.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Event]], Appended | None],
        idle: Callable[[], None],
        *,
        monotonic_s: Callable[[], float],
        settings: CommitSettings,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._idled_at_s = monotonic_s()
        self._pid = os.getpid()
        self._commit_events = commit
        self._run_idle = idle
        self.settings = settings
        # Leaving takes no lock: appending to a deque and setting an event are atomic, and the thread looks at the
        # deque again after it has cleared an event and before it waits for it.
        self._pending: deque[_Batch] = deque()
        self._committing: list[_Batch] = []
        self._work = threading.Event()
        self._urgent = threading.Event()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._committed = 0
        self._error = ""

    @property
    def degraded(self) -> bool:
        """Whether the store is away."""
        return bool(self._error)

    def status(self) -> CommitStatus:
        """How the way into the store is doing."""
        buffered = sum(len(batch.events) for batch in (*tuple(self._pending), *self._committing))
        return CommitStatus(buffered, self._dropped, self._committed, self._error)

    def leave(self, events: tuple[Event, ...]) -> bool:
        """Leave events to be committed soon; about 1 us. False if the buffer is full: they are dropped, and counted."""
        if not self._keep(_Batch(events, None)):
            return False
        if not self._work.is_set():
            self._work.set()
        return True

    def send(self, events: tuple[Event, ...]) -> Future[Receipt]:
        """Commit events at once; the future is done when they are durable. Raises `BufferFull`."""
        receipt: Future[Receipt] = Future()
        if not self._keep(_Batch(events, receipt)):
            raise BufferFull(
                f"{len(self._pending)} batches wait for the store already; {len(events)} events were refused"
            )
        self._urgent.set()
        self._work.set()
        return receipt

    def start(self) -> None:
        """Start the thread, if it does not run yet. Raises `StoreUnavailable` after `close`."""
        with self._starting:
            if self._thread is None:
                if self._closing.is_set():
                    raise StoreUnavailable("the way into the store is closed")
                self._thread = threading.Thread(target=self._run, name="tiercel-commit", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Commit what is buffered and stop; idempotent. What cannot be committed is said in the log."""
        with self._starting:
            self._closing.set()
            self._urgent.set()
            self._work.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _keep(self, batch: _Batch) -> bool:
        if self._closing.is_set():
            raise StoreUnavailable("the way into the store is closed")
        if self._pid != os.getpid():
            raise StoreError("this was opened before the process forked: open the store in each process for itself")
        if len(self._pending) + len(self._committing) >= self.settings.max_buffered:
            self._dropped += len(batch.events)
            return False
        if self._thread is None:
            self.start()
        self._pending.append(batch)
        return True

    def _run(self) -> None:
        while True:
            taken = self._committing = self._take()
            if taken:
                self._commit_with_retries(taken)
                self._committing = []
            elif self._closing.is_set():
                return
            # under steady traffic there is no idle moment to wait for
            if not taken or self._monotonic_s() - self._idled_at_s >= self.settings.idle_s:
                self._idle()

    def _take(self) -> list[_Batch]:
        """Wait for work; what is taken here is committed together."""
        self._work.clear()
        if not self._pending and not self._closing.is_set():
            self._work.wait(self.settings.idle_s)
        if self._pending and not self._closing.is_set():
            self._urgent.wait(self.settings.linger_s)
        self._urgent.clear()
        taken: list[_Batch] = []
        size = 0
        while self._pending and size < self.settings.max_batch:
            batch = self._pending.popleft()
            size += len(batch.events)
            taken.append(batch)
        if self._pending:
            self._urgent.set()
        return taken

    def _idle(self) -> None:
        self._idled_at_s = self._monotonic_s()
        try:
            self._run_idle()
        except StoreError as error:
            self._note(error)
        except Exception as fault:
            # the thread must live on: whoever waits for a commit waits for it
            log.exception("housekeeping failed by a fault of tiercel")
            self._error = f"housekeeping: {fault!r}"
        else:
            self._error = ""

    def _commit_with_retries(self, batches: list[_Batch]) -> None:
        delay_s = self.settings.first_retry_s
        while True:
            try:
                self._commit(batches)
            except StoreError as error:
                self._note(error)
                if self._closing.is_set() or not error.retryable:
                    self._give_up(batches, error)
                    return
                self._closing.wait(delay_s)
                delay_s = min(delay_s * 2, self.settings.last_retry_s)
            except Exception as fault:
                # a fault in what is made of one event must take neither its company nor the log down
                if len(batches) > 1:
                    for batch in batches:
                        self._commit_with_retries([batch])
                    return
                log.exception("committing failed by a fault of tiercel")
                self._give_up(batches, fault)
                return
            else:
                self._error = ""
                return

    def _commit(self, batches: list[_Batch]) -> None:
        events = [event for batch in batches for event in batch.events]
        appended = self._commit_events(events) if events else None
        self._committed += len(events)
        _settle(batches, appended)

    def _note(self, error: StoreError) -> None:
        if not self._error:
            log.warning("the store is away, events are buffered: %s", error)
        self._error = str(error)

    def _give_up(self, batches: list[_Batch], error: Exception) -> None:
        lost = sum(len(batch.events) for batch in batches)
        self._dropped += lost
        log.error("%d events could not be committed and are lost: %s", lost, error)
        for batch in batches:
            if batch.receipt is not None:
                batch.receipt.set_exception(error)


def _settle(batches: Sequence[_Batch], appended: Appended | None) -> None:
    """Tell each waiting caller what became of its own events: the log keeps the order in which they came."""
    accepted = deque(appended.accepted if appended else ())
    conflicts = deque(appended.conflicts if appended else ())
    for batch in batches:
        mine: list[Event] = []
        refused: list[str] = []
        for event in batch.events:
            if accepted and accepted[0].id == event.id:
                mine.append(accepted.popleft())
            elif conflicts and conflicts[0] == event.id:
                refused.append(conflicts.popleft())
        if batch.receipt is not None:
            batch.receipt.set_result(Receipt(tuple(mine), tuple(refused)))
