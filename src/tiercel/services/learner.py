"""The way into the log and out of it again: events are logged, then learned, in one order for live use and restart.

    submit / record -> buffer -> one writer thread: store.append (group commit) -> knowledge -> reviews -> listeners

Many callers share one commit. A caller that wants an acknowledgement waits for its commit; one that does not (the
request path) leaves its events in the buffer and goes on, and they are committed within `linger_s`. While the store is
away the buffer keeps what arrives, up to a bound; what exceeds it is refused and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.errors import BufferFull, StoreError, StoreUnavailable
from tiercel.domain.events import Event, StandingChange
from tiercel.ports import Appended, Clock, Store

log = logging.getLogger("tiercel.learner")

Review = Callable[[Appended], Sequence[StandingChange]]
Listener = Callable[[Appended], None]


class Receipt(NamedTuple):
    """What became of the events of one `record`: those that were new, and the ids used before for other content."""

    accepted: tuple[Event, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearnerStatus:
    """How the way into the store is doing. `error` is "" while the store answers."""

    buffered: int
    dropped: int
    committed: int
    error: str

    @property
    def degraded(self) -> bool:
        """Whether the store is away."""
        return bool(self.error)


@dataclass(slots=True)
class _Batch:
    events: tuple[Event, ...]
    receipt: Future[Receipt] | None


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """`linger_s`: how long unawaited events may wait for company. `poll_s`: how often other processes' events are read.

    `retention_s`: how long the log is kept. `housekeeping_s`: how often old buckets and old log are tidied.
    """

    linger_s: float = 0.05
    poll_s: float = 1.0
    max_batch: int = 2_000
    max_buffered: int = 100_000
    retention_s: float = 7 * 86_400.0
    housekeeping_s: float = 300.0
    first_retry_s: float = 0.05
    last_retry_s: float = 5.0


class Learner:
    """Keeps `knowledge` equal to what the log teaches. Thread-safe; `close` it to commit what is buffered."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        review: Review | None = None,
        settings: LearnerSettings | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings or LearnerSettings()
        self.knowledge = Knowledge()
        self.review = review
        self._listeners: tuple[Listener, ...] = ()
        self._pending: deque[_Batch] = deque()
        self._buffered = 0
        self._dropped = 0
        self._committed = 0
        self._error = ""
        self._urgent = False
        self._closing = False
        self._signal = threading.Condition()
        self._commit_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tidied_at_s = clock.monotonic_s()
        deltas, self._position = store.load()
        self.knowledge.replace(deltas)

    def submit(self, *events: Event) -> bool:
        """Leave events to be committed soon; about 1 us. False if the buffer is full: they are dropped, and counted."""
        with self._signal:
            if not self._buffer(_Batch(events, None)):
                self._dropped += len(events)
                return False
            if self._thread is None:
                self._start()
            if len(self._pending) == 1:
                self._signal.notify()
        return True

    def send(self, *events: Event) -> Future[Receipt]:
        """Commit events; the future is done when they are durable and learned.

        Raises `BufferFull` when the store has been away for so long that nothing more can be kept.
        """
        receipt: Future[Receipt] = Future()
        with self._signal:
            if not self._buffer(_Batch(events, receipt)):
                self._dropped += len(events)
                raise BufferFull(f"{self._buffered} events wait for the store already; {len(events)} more were refused")
            if self._thread is None:
                self._start()
            self._urgent = True
            self._signal.notify()
        return receipt

    def record(self, *events: Event, timeout_s: float | None = None) -> Receipt:
        """Commit events and wait for it. Raises `StoreUnavailable` if that takes longer than `timeout_s`.

        After that error the events are still buffered and will be committed when the store is back.
        """
        try:
            return self.send(*events).result(timeout_s)
        except TimeoutError as error:
            raise StoreUnavailable(f"not committed within {timeout_s} s; buffered: {self._error}") from error

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with everything learned from now on, from the writer's thread; returns how to stop."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(held for held in self._listeners if held is not listener)

        return stop

    def status(self) -> LearnerStatus:
        """How the way into the store is doing."""
        return LearnerStatus(self._buffered, self._dropped, self._committed, self._error)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything submitted so far is committed."""
        self.record(timeout_s=timeout_s)

    def catch_up(self) -> int:
        """Learn what other processes have logged; returns the number of events."""
        learned = 0
        with self._commit_lock:
            while True:
                events, position = self.store.events_after(self._position, self.settings.max_batch)
                if not events:
                    return learned
                self._learn(Appended(tuple(events), fold(events)), position)
                learned += len(events)

    def tidy(self) -> None:
        """Move old statistics into coarser buckets and remove log older than the retention."""
        now = self.clock.now()
        with self._commit_lock:
            self.store.compact(now)
            self.store.trim(now - timedelta(seconds=self.settings.retention_s))
            self.knowledge.compact(now.timestamp())

    def reload(self) -> None:
        """Forget what is in memory and read the state from the store again."""
        with self._commit_lock:
            deltas, self._position = self.store.load()
            self.knowledge.replace(deltas)

    def close(self) -> None:
        """Commit what is buffered and stop; idempotent. What cannot be committed is said in the log."""
        with self._signal:
            self._closing = True
            self._signal.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        if self._closing:
            raise StoreUnavailable("the learner is closed")
        self._thread = threading.Thread(target=self._run, name="tiercel-learner", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Start following other processes even before anything is submitted here."""
        with self._signal:
            if self._thread is None:
                self._start()

    def _buffer(self, batch: _Batch) -> bool:
        if self._buffered + len(batch.events) > self.settings.max_buffered:
            return False
        self._pending.append(batch)
        self._buffered += len(batch.events)
        return True

    def _take(self) -> list[_Batch]:
        """Wait for work; what is taken here is committed together."""
        with self._signal:
            if not self._pending and not self._closing:
                self._signal.wait(self.settings.poll_s)
            if self._pending and not self._urgent and not self._closing:
                self._signal.wait_for(lambda: self._urgent or self._closing, self.settings.linger_s)
            taken: list[_Batch] = []
            size = 0
            while self._pending and size < self.settings.max_batch:
                size += len(self._pending[0].events)
                taken.append(self._pending.popleft())
            self._urgent = bool(self._pending) and any(batch.receipt for batch in self._pending)
        return taken

    def _run(self) -> None:
        while True:
            batches = self._take()
            if batches:
                self._commit_with_retries(batches)
            elif self._closing:
                return
            else:
                self._idle()

    def _idle(self) -> None:
        try:
            self.catch_up()
            if self.clock.monotonic_s() - self._tidied_at_s >= self.settings.housekeeping_s:
                self._tidied_at_s = self.clock.monotonic_s()
                self.tidy()
        except StoreError as error:
            self._note(error)
        else:
            self._error = ""

    def _commit_with_retries(self, batches: list[_Batch]) -> None:
        delay_s = self.settings.first_retry_s
        while True:
            try:
                self._commit(batches)
            except StoreUnavailable as error:
                self._note(error)
                if self._closing:
                    self._give_up(batches, error)
                    return
                with self._signal:
                    self._signal.wait_for(lambda: self._closing, delay_s)
                delay_s = min(delay_s * 2, self.settings.last_retry_s)
            except StoreError as error:
                self._note(error)
                self._give_up(batches, error)
                return
            else:
                self._error = ""
                return

    def _commit(self, batches: list[_Batch]) -> None:
        events = [event for batch in batches for event in batch.events]
        with self._commit_lock:
            appended = self._append(events) if events else None
        with self._signal:
            self._buffered -= len(events)
            self._committed += len(events)
        accepted = appended.accepted if appended else ()
        conflicts = appended.conflicts if appended else ()
        for batch in batches:
            if batch.receipt is not None:
                ids = {event.id for event in batch.events}
                batch.receipt.set_result(
                    Receipt(
                        tuple(event for event in accepted if event.id in ids),
                        tuple(conflict for conflict in conflicts if conflict in ids),
                    )
                )

    def _append(self, events: Sequence[Event]) -> Appended:
        appended = self.store.append(events, fold)
        if appended.accepted:
            if appended.first_position == self._position + 1:
                self._learn(appended, appended.last_position)
            else:
                self._learn_from_log(appended.last_position)
            changes = self.review(appended) if self.review else ()
            if changes:
                self._append(changes)
        return appended

    def _learn_from_log(self, last_position: int) -> None:
        """Another process logged in between: read its events and ours in the order of the log."""
        while self._position < last_position:
            events, position = self.store.events_after(self._position, self.settings.max_batch)
            self._learn(Appended(tuple(events), fold(events)), position)

    def _learn(self, appended: Appended, position: int) -> None:
        self.knowledge.add(appended.deltas)
        self._position = position
        for listener in self._listeners:
            listener(appended)

    def _note(self, error: StoreError) -> None:
        if not self._error:
            log.warning("the store is away, events are buffered: %s", error)
        self._error = str(error)

    def _give_up(self, batches: list[_Batch], error: StoreError) -> None:
        lost = sum(len(batch.events) for batch in batches)
        with self._signal:
            self._buffered -= lost
            self._dropped += lost
        log.error("%d events could not be committed and are lost: %s", lost, error)
        for batch in batches:
            if batch.receipt is not None:
                batch.receipt.set_exception(error)
