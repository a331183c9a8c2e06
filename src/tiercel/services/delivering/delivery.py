"""From this process into the store: in the order in which it came, once, and kept while the store is away.

    leave, send -> pending -> taken -> commit -> the store     while it answers and nothing is in the outbox
                                 |                  ^
                                 +--> outbox -------+          from when it does not until the outbox is empty

A store may have parts that are away alone: then only what belongs there takes the way through the outbox. Without an
outbox, or where it cannot be written, memory keeps what it has room for. A state machine without threads, waiting or
chance of its own: whoever runs it calls `step` (group_commit.py from a thread, feedback_loop.py from its callers'), and
what is due is done.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf

from tiercel.domain.errors import BufferFull, StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Appended, Outbox
from tiercel.services.delivering.access import Access
from tiercel.services.delivering.backoff import Backoff, no_jitter
from tiercel.services.delivering.draining import Draining
from tiercel.services.delivering.keeping import Keeping
from tiercel.services.delivering.receipts import Batch, CommitStatus, Receipt, events_of, settle, size_of
from tiercel.services.delivering.taken import Taken

log = logging.getLogger("tiercel.delivery")

FAREWELL_S = 3.0
"""How long, at the end, the outbox goes on being emptied into a store that answers."""


@dataclass(frozen=True, slots=True)
class CommitSettings:
    """`linger_s`: how long unawaited events may wait for company; `idle_s`: how often `idle` runs, about.

    `max_batch` events are committed together, `max_buffered` batches kept in memory. Retries double from
    `first_retry_s` on; each is put off by between half of that and all of it, so that many processes do not come back
    to a store at the same moment. Of the outbox `max_drained` events are delivered in one step; half of the time is
    left to other work.
    """

    linger_s: float = 0.05
    idle_s: float = 1.0
    max_batch: int = 2_000
    max_buffered: int = 100_000
    first_retry_s: float = 0.05
    last_retry_s: float = 1.0
    max_drained: int = 1_000


class Delivery:
    """Hands what was left here to `commit`, in order; runs `idle` in between, now and then.

    Any thread may `leave` and `send`; one at a time may do the rest. `commit` and `idle` raise `StoreError` when the
    store is away, and say which parts of it are; `part_of` is `EventStore.part_of`. `jitter` gives a number in [0, 1]
    whenever it is asked; `monotonic_s` is asked how long draining took. `finish` closes the outbox.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Event]], Appended],
        idle: Callable[[], Mapping[int, str]] | None = None,
        *,
        part_of: Callable[[Event], int],
        monotonic_s: Callable[[], float],
        outbox: Outbox | None = None,
        settings: CommitSettings | None = None,
        jitter: Callable[[], float] = no_jitter,
    ) -> None:
        self.settings = settings or CommitSettings()
        self.keeping = Keeping(outbox)
        self._run_idle = idle
        self._part_of = part_of
        self._access = Access(commit, lambda: Backoff(self.settings.first_retry_s, self.settings.last_retry_s, jitter))
        self._draining = Draining(self.keeping, self._access, most=self.settings.max_drained, monotonic_s=monotonic_s)
        # Leaving takes no lock: appending to a deque is atomic.
        self._pending: deque[Batch] = deque()
        self._taken = Taken()
        self._last: list[Batch] = []
        self._idled_at_s = monotonic_s()
        self._dropped = self._committed = 0
        self._fault = ""

    @property
    def degraded(self) -> bool:
        """Whether the store or a part of it is away, or has not got yet what came while it was."""
        return bool(self.away or self._fault) or self.keeping.behind

    @property
    def pending(self) -> bool:
        """Whether something came that no step has seen."""
        return bool(self._pending)

    @property
    def away(self) -> str:
        """What the store said last, if it or a part of it is away; else ""."""
        return self._access.error

    @property
    def waiting(self) -> bool:
        """Whether anything that came is not in the store."""
        return bool(self._pending or self._taken.size or self._last) or self.keeping.behind

    @property
    def holding(self) -> bool:
        """Whether memory holds what was seen, and the whole store is away."""
        return bool(self._taken.size and self._access.whole.error)

    def status(self) -> CommitStatus:
        """How the way into the store is doing."""
        keeping, outbox = self.keeping, self.keeping.outbox
        return CommitStatus(
            buffered=size_of((*tuple(self._pending), *self._taken.batches)),
            dropped=self._dropped + keeping.dropped + self._draining.dropped,
            committed=self._committed + self._draining.committed,
            error="; ".join(error for error in (self.away, keeping.error, self._fault) if error),
            degraded=self.degraded,
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
            why = f"the store is away ({self.away})" if self.away else "the store is slow"
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
        self._keep(part for part in self._taken.parts if not self._open(part, now_s))
        self._draining.drain(now_s)
        batches = self._taken.take_out((p for p in self._taken.parts if self._open(p, now_s)), self.settings.max_batch)
        if batches:
            self._send(batches, now_s)
        # under steady traffic there is no idle moment to wait for
        if self._run_idle and self._due_s > now_s >= self._idle_at_s:
            self._idle(self._run_idle, now_s)
        if not (self._taken.size or self.keeping.behind):
            self._tell_last()
        return max(min(self._due_s, self._idle_at_s) - now_s, 0.0)

    def unavailable(self, error: StoreError, now_s: float) -> None:
        """The store was found to be away: it is tried again later, and what comes until then is kept."""
        self._access.unavailable(error, now_s)

    def looked_at(self, missing: Mapping[int, str], now_s: float) -> None:
        """The whole store was looked at: these parts of it are away, and what comes for them is kept."""
        self._access.looked_at(missing, now_s)

    def retry(self) -> None:
        """Try the store with the next step, whenever that was due."""
        self._access.forget()

    def hurry(self) -> None:
        """Leave no time to other work while the outbox is emptied."""
        self._draining.hurry(self.settings.max_batch)

    def finish(self, now_s: Callable[[], float]) -> None:
        """Deliver what is here and close the outbox; what cannot be delivered stays in it, or is lost and said."""
        until_s = now_s() + FAREWELL_S
        self.retry()
        self.hurry()
        while (now := now_s()) < until_s and (self._pending or self._due_s <= now):
            self.step(now)
        error = StoreUnavailable(self.away or "the store is too slow")
        while self._pending or self._taken.size:
            self._take()
            self._keep(self._taken.parts)
            self._give_up(self._taken.take_out(self._taken.parts, inf), error)
        if self.keeping.behind:
            self._give_up(self._last, error)
        else:
            self._tell_last()
        self.keeping.close()

    @property
    def _idle_at_s(self) -> float:
        """When `idle` runs next: while nothing else asks whether the store is back, it does."""
        retry_at_s = self._access.whole.retry_at_s
        return retry_at_s if self._access.whole.error else max(self._idled_at_s + self.settings.idle_s, retry_at_s)

    @property
    def _due_s(self) -> float:
        """When a part of the store may be tried that something waits for; infinity where nothing does."""
        if self._pending and not self._access.whole.error:
            return -inf
        waiting = (part for part in self._taken.parts if part not in self.keeping.parts)
        return min(min(map(self._access.retry_at_s, waiting), default=inf), self._draining.due_s)

    def _full(self, events: int) -> bool:
        if len(self._pending) + self._taken.size + len(self._last) < self.settings.max_buffered:
            return False
        self._dropped += events
        return True

    def _open(self, part: int, now_s: float) -> bool:
        """Whether what belongs to a part may go there now, past nothing that waits for it."""
        return now_s >= self._access.retry_at_s(part) and part not in self.keeping.parts

    def _take(self) -> None:
        """What is taken here is committed or kept together."""
        size = 0
        while self._pending and size < self.settings.max_batch:
            batch = self._pending.popleft()
            if not batch.events:
                self._last.append(batch)
                continue
            size += len(batch.events)
            try:
                self._taken.add(batch.divided(self._part_of))
            except Exception as fault:
                # a fault in what is made of one event must take neither its company nor the log down
                log.exception("committing failed by a fault of tiercel")
                self._give_up([batch], fault)

    def _keep(self, parts: Iterable[int]) -> None:
        """Put what belongs to these parts into the outbox, as far as that can be."""
        self._taken.put_back(self.keeping.keep(self._taken.take_out(tuple(parts), inf)))

    def _send(self, batches: Sequence[Batch], now_s: float) -> None:
        try:
            appended = self._access.commit(events_of(batches), {batch.part for batch in batches}, now_s)
        except StoreError as error:
            if error.retryable or self.keeping.outbox is not None:
                self._taken.put_back(batches)
                self._keep(self._taken.parts)
            else:
                self._give_up(batches, error)
        except Exception as fault:
            # likewise
            if len(batches) > 1:
                self._send_each(batches, now_s)
                return
            log.exception("committing failed by a fault of tiercel")
            self._give_up(batches, fault)
        else:
            missed = [batch for batch in batches if batch.part in appended.missing]
            self._committed += size_of(batches) - size_of(missed)
            settle(batches, appended)
            self._taken.put_back(missed)
            self._keep(appended.missing)

    def _send_each(self, batches: Sequence[Batch], now_s: float) -> None:
        for number, batch in enumerate(batches):
            if not self._open(batch.part, now_s):
                self._taken.put_back(batches[number:])
                return
            self._send([batch], now_s)

    def _idle(self, run: Callable[[], Mapping[int, str]], now_s: float) -> None:
        self._idled_at_s = now_s
        try:
            missing = run()
        except StoreError as error:
            self.unavailable(error, now_s)
        except Exception as fault:
            # whoever runs this must live on: others wait for commits
            log.exception("housekeeping failed by a fault of tiercel")
            self._fault = f"housekeeping: {fault!r}"
        else:
            self._fault = ""
            self.looked_at(missing, now_s)

    def _tell_last(self) -> None:
        """Tell who waits for all that came before: the store has it."""
        for batch in self._last:
            batch.settle(Receipt())
        self._last = []

    def _give_up(self, batches: Sequence[Batch], error: BaseException) -> None:
        lost = size_of(batches)
        self._dropped += lost
        if lost:
            log.error("%d events could not be committed and are lost: %s", lost, error)
        for batch in batches:
            batch.fail(error)
