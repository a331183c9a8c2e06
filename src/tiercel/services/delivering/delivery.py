"""From this process into the store: in the order in which it came, once, and kept while the store is away.

    leave, send -> pending -> taken -> commit -> the store     while it answers and nothing is in the outbox
                                 |                  ^
                                 +--> outbox -------+          from when it does not until the outbox is empty

Without an outbox, or where it cannot be written, memory keeps what it has room for. A state machine without threads,
waiting or chance of its own: whoever runs it calls `step` (group_commit.py from a thread, feedback_loop.py from its
callers'), and what is due is done.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf

from tiercel.domain.errors import BufferFull, StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Appended, Outbox
from tiercel.services.delivering.backoff import Backoff, no_jitter
from tiercel.services.delivering.keeping import Keeping
from tiercel.services.delivering.receipts import Batch, CommitStatus, Receipt, events_of, settle, size_of

log = logging.getLogger("tiercel.delivery")

FAREWELL_S = 3.0
"""How long, at the end, the outbox goes on being emptied into a store that answers."""


@dataclass(frozen=True, slots=True)
class CommitSettings:
    """`linger_s`: how long unawaited events may wait for company; `idle_s`: how often `idle` runs, about.

    `max_batch` events are committed together, `max_buffered` batches kept in memory. Retries double from
    `first_retry_s` on; each is put off by between half of that and all of it, so that many processes do not come back
    to a store at the same moment.
    """

    linger_s: float = 0.05
    idle_s: float = 1.0
    max_batch: int = 2_000
    max_buffered: int = 100_000
    first_retry_s: float = 0.05
    last_retry_s: float = 1.0


class Delivery:
    """Hands what was left here to `commit`, in order; runs `idle` in between, now and then.

    Any thread may `leave` and `send`; one at a time may do the rest. `commit` and `idle` raise `StoreError` when the
    store is away. `jitter` gives a number in [0, 1] whenever it is asked. `finish` closes the outbox.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Event]], Appended],
        idle: Callable[[], None] | None = None,
        *,
        now_s: float,
        outbox: Outbox | None = None,
        settings: CommitSettings | None = None,
        jitter: Callable[[], float] = no_jitter,
    ) -> None:
        self.settings = settings or CommitSettings()
        self.keeping = Keeping(outbox)
        self._commit = commit
        self._run_idle = idle
        self._store = Backoff(self.settings.first_retry_s, self.settings.last_retry_s, jitter)
        # Leaving takes no lock: appending to a deque is atomic.
        self._pending: deque[Batch] = deque()
        self._taken: list[Batch] = []
        self._too_many = False
        self._idled_at_s = now_s
        self._dropped = self._committed = 0
        self._fault = ""

    @property
    def degraded(self) -> bool:
        """Whether the store is away, or has not got yet what came while it was."""
        return bool(self._store.error or self._fault) or self.keeping.behind

    @property
    def pending(self) -> bool:
        """Whether something came that no step has seen."""
        return bool(self._pending)

    @property
    def away(self) -> str:
        """What the store said last, if it is away; else ""."""
        return self._store.error

    @property
    def waiting(self) -> bool:
        """Whether anything that came is not in the store."""
        return bool(self._pending or self._taken) or self.keeping.behind

    @property
    def holding(self) -> bool:
        """Whether memory holds what was seen and could neither be committed nor kept elsewhere."""
        return bool(self._taken)

    def status(self) -> CommitStatus:
        """How the way into the store is doing."""
        keeping, outbox = self.keeping, self.keeping.outbox
        return CommitStatus(
            buffered=size_of((*tuple(self._pending), *tuple(self._taken))),
            dropped=self._dropped + keeping.dropped,
            committed=self._committed,
            error="; ".join(error for error in (self._store.error, keeping.error, self._fault) if error),
            kept=outbox.waiting if outbox else 0,
            keeps_at_most=outbox.limit if outbox else 0,
            ever_kept=keeping.ever_kept,
        )

    def leave(self, events: tuple[Event, ...]) -> bool:
        """Leave events to be committed soon; about 1 us. False if memory is full: they are dropped, and counted."""
        if self._full(len(events)):
            return False
        self._pending.append(Batch(events))
        return True

    def send(self, events: tuple[Event, ...]) -> Future[Receipt]:
        """The same, but the future is done when they are durable. It may raise `BufferFull`, and so may this."""
        if self._full(len(events)):
            why = f"the store is away ({self._store.error})" if self._store.error else "the store is slow"
            raise BufferFull(
                f"{why} and {self.settings.max_buffered} batches wait for it already: this one is not kept; give it"
                " again when the store is back"
            )
        receipt: Future[Receipt] = Future()
        self._pending.append(Batch(events, receipt))
        return receipt

    def step(self, now_s: float) -> float:
        """Do what is due. Returns for how many seconds nothing more will be, unless something comes."""
        self._take()
        if self.keeping.behind or now_s < self._store.retry_at_s:
            self._keep()
        if now_s >= self._store.retry_at_s:
            if self.keeping.behind:
                self._drain(now_s)
            elif self._taken:
                self._deliver(now_s)
            # under steady traffic there is no idle moment to wait for
            if self._run_idle and not (self._taken or self.keeping.behind) and now_s >= self._idle_at_s:
                self._idle(self._run_idle, now_s)
        if now_s < self._store.retry_at_s:
            return self._store.retry_at_s - now_s
        more = self._taken or self._too_many or self.keeping.behind
        return 0.0 if more else max(self._idle_at_s - now_s, 0.0)

    def unavailable(self, error: StoreError, now_s: float) -> None:
        """The store was found to be away: it is tried again later, and what comes until then is kept."""
        if not self._store.error:
            log.warning("the store is away, what happens is kept until it is back: %s", error)
        self._store.failed(error, now_s)

    def retry(self) -> None:
        """Try the store with the next step, whenever that was due."""
        self._store.forget()

    def finish(self, now_s: Callable[[], float]) -> None:
        """Deliver what is here and close the outbox; what cannot be delivered stays in it, or is lost and said."""
        until_s = now_s() + FAREWELL_S
        self.retry()
        while (self._pending or self._taken or self.keeping.behind) and now_s() < until_s:
            self.step(now_s())
            if self._store.retry_at_s > -inf:
                break
        error = StoreUnavailable(self._store.error or "the store is too slow")
        while self._pending or self._taken:
            self._take()
            self._keep()
            self._give_up(self._taken, error)
            self._taken = []
        self.keeping.close(error)

    @property
    def _idle_at_s(self) -> float:
        # while nothing else asks whether the store is back, `idle` does
        return -inf if self._store.error else self._idled_at_s + self.settings.idle_s

    def _full(self, events: int) -> bool:
        if len(self._pending) + len(self._taken) + len(self.keeping.waiters) < self.settings.max_buffered:
            return False
        self._dropped += events
        return True

    def _take(self) -> None:
        """What is taken here is committed or kept together."""
        size = size_of(self._taken)
        while self._pending and size < self.settings.max_batch:
            batch = self._pending.popleft()
            size += len(batch.events)
            self._taken.append(batch)
        self._too_many = bool(self._pending)

    def _keep(self) -> None:
        self._taken = self.keeping.keep(self._taken)
        self.keeping.settle_waiters()

    def _deliver(self, now_s: float) -> None:
        together = len(self._taken)
        while self._taken:
            batches = self._taken[:together]
            events = events_of(batches)
            try:
                appended = self._commit(events) if events else None
            except StoreError as error:
                self.unavailable(error, now_s)
                if error.retryable or self.keeping.outbox is not None:
                    self._keep()
                    return
                self._give_up(batches, error)
            except Exception as fault:
                # a fault in what is made of one event must take neither its company nor the log down
                if len(batches) > 1:
                    together = 1
                    continue
                log.exception("committing failed by a fault of tiercel")
                self._give_up(batches, fault)
            else:
                if appended:
                    self._answered(len(events))
                settle(batches, appended)
            self._taken = self._taken[len(batches) :]

    def _drain(self, now_s: float) -> None:
        """Deliver some of what waits in the outbox, before anything that came later."""
        outbox, together = self.keeping.outbox, self.settings.max_batch
        left = together
        while outbox is not None and self.keeping.behind and left > 0:
            try:
                events, mark = outbox.next(together)
                if not self._delivered(events) and len(events) > 1:
                    together, left = 1, len(events)
                    continue
            except StoreError as error:
                self.unavailable(error, now_s)
                return
            outbox.delivered(mark)
            left -= together
        self.keeping.settle_waiters()

    def _delivered(self, events: Sequence[Event]) -> bool:
        """Commit what was kept. False where that failed by the fault of one of them, which alone is then lost."""
        if not events:
            return True
        try:
            conflicts = self._commit(events).conflicts
        except StoreError:
            raise
        except Exception:
            if len(events) == 1:
                log.exception("an event that was kept cannot be committed, by a fault of tiercel: it is lost")
                self._dropped += 1
            return False
        if conflicts:
            self._dropped += len(conflicts)
            log.error("kept events are refused, their ids were used before: %s", ", ".join(conflicts))
        self._answered(len(events) - len(conflicts))
        return True

    def _answered(self, committed: int) -> None:
        self._committed += committed
        if self._store.error:
            log.warning("the store is back")
        self._store.succeeded()

    def _idle(self, run: Callable[[], None], now_s: float) -> None:
        self._idled_at_s = now_s
        try:
            run()
        except StoreError as error:
            self.unavailable(error, now_s)
        except Exception as fault:
            # whoever runs this must live on: others wait for commits
            log.exception("housekeeping failed by a fault of tiercel")
            self._fault = f"housekeeping: {fault!r}"
        else:
            self._fault = ""
            self._answered(0)

    def _give_up(self, batches: Sequence[Batch], error: Exception) -> None:
        lost = size_of(batches)
        self._dropped += lost
        if lost:
            log.error("%d events could not be committed and are lost: %s", lost, error)
        for batch in batches:
            batch.fail(error)
