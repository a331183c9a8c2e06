"""The way into the log and out of it again: events are logged, then learned, in one order for live use and restart.

    leave / send -> delivery: store.append -> knowledge -> reviews -> listeners

What other processes log is read from the log, in its order, before or between our own. A store that is away at the
start is no error: nothing is known yet, and is learned when the store is back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.decision import Decision
from tiercel.domain.errors import PositionLost, StoreUnavailable
from tiercel.domain.events import Event, Outcome, StandingChange
from tiercel.ports import START, Appended, Clock, DecisionRecord, Outbox, Position, Store
from tiercel.services.delivering.backoff import no_jitter
from tiercel.services.delivering.delivery import CommitSettings, Delivery
from tiercel.services.delivering.group_commit import GroupCommit
from tiercel.services.delivering.receipts import CommitStatus, Receipt
from tiercel.services.learning.labels import labelled

log = logging.getLogger("tiercel.learner")

RETENTION_S = 7 * 86_400.0
HOUSEKEEPING_S = 300.0
FAR_BEHIND = 10_000
"""Events read one by one; whoever finds more takes the state instead, which does not grow with the others' traffic."""

Review = Callable[[Appended], Sequence[StandingChange]]
Listener = Callable[[Appended], None]


class Learner:
    """Keeps `knowledge` equal to what the log teaches. Thread-safe; `close` it to commit what is buffered.

    `review` is asked after everything learned whether it calls for a change, which is then logged and learned too.
    `retention_s` is how long the log is kept; `trusted_sources` are heard in full whatever others say. `outbox` keeps
    what comes while the store is away, and is closed with the learner; `jitter` is chance for retries. `run` makes what
    steps the delivery: a thread, unless somebody else does. Of more than `far_behind` events the others logged it takes
    what they taught from the store instead of reading them all, and listeners hear of none of the rest.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        review: Review | None = None,
        retention_s: float = RETENTION_S,
        settings: CommitSettings | None = None,
        trusted_sources: frozenset[str] = frozenset(),
        outbox: Outbox | None = None,
        jitter: Callable[[], float] = no_jitter,
        run: Callable[[Delivery, Callable[[], float]], GroupCommit] = GroupCommit,
        far_behind: int = FAR_BEHIND,
    ) -> None:
        self.store = store
        self.clock = clock
        self.review = review
        self.knowledge = Knowledge()
        self._retention_s = retention_s
        self._trusted_sources = trusted_sources
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()
        self._tidied_at_s = clock.monotonic_s()
        self._position: Position = START
        self._loaded = False
        self._far_behind = far_behind
        self.delivery = Delivery(
            self._commit,
            self._idle,
            part_of=store.part_of,
            monotonic_s=clock.monotonic_s,
            outbox=outbox,
            settings=settings,
            jitter=jitter,
        )
        self._commits = run(self.delivery, clock.monotonic_s)
        try:
            self._load()
            self.delivery.looked_at(store.missing, clock.monotonic_s())
        except StoreUnavailable as error:
            self.delivery.unavailable(error, clock.monotonic_s())

    @property
    def degraded(self) -> bool:
        """Whether the store is away, or has not got yet what came while it was."""
        return self.delivery.degraded

    def status(self) -> CommitStatus:
        """How the way into the store is doing."""
        return self.delivery.status()

    def leave(self, *events: Event) -> bool:
        """Leave events to be committed soon; about 1 us. False if the buffer is full: they are dropped, and counted."""
        return self._commits.leave(events)

    def send(self, *events: Event) -> Future[Receipt]:
        """Commit events; the future is done when they are durable and learned, or kept while the store is away.

        Raises `BufferFull`, and the future may.
        """
        return self._commits.send(events)

    def record(self, *events: Event, timeout_s: float | None = None) -> Receipt:
        """Commit events and wait for it. Raises `StoreUnavailable` if that takes longer than `timeout_s`.

        After that error the events are still buffered and will be committed when the store is back.
        """
        try:
            return self.send(*events).result(timeout_s)
        except TimeoutError as error:
            why = self.status().error
            raise StoreUnavailable(f"not committed within {timeout_s} s; it stays buffered: {why}") from error

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything left so far is committed."""
        self.record(timeout_s=timeout_s)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """What is known of a decision: where it waits for the store, else what the store says. Raises `StoreError`."""
        waiting = self.delivery.keeping.about(decision_id)
        outcomes = tuple(event for event in waiting if isinstance(event, Outcome))
        decided = next((event for event in waiting if isinstance(event, Decision)), None)
        if decided is not None:
            return DecisionRecord(decided, outcomes, ())
        record = self.store.decision(decision_id)
        return record and replace(record, outcomes=(*record.outcomes, *outcomes))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with everything learned from now on, from the commit's thread; returns how to stop."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(held for held in self._listeners if held is not listener)

        return stop

    def start(self) -> None:
        """Follow other processes from now on, even before anything is logged here."""
        self._commits.start()

    def catch_up(self) -> int:
        """Learn what other processes have logged; returns the number of events."""
        with self._lock:
            self._ensure_loaded()
            return self._follow()

    def tidy(self) -> None:
        """Move old statistics into coarser buckets and remove log older than the retention."""
        now = self.clock.now()
        with self._lock:
            self.store.compact(now)
            self.store.trim(now - timedelta(seconds=self._retention_s))
            self.knowledge.compact(now.timestamp())

    def close(self) -> None:
        """Commit what is buffered and stop; idempotent."""
        self._commits.close()

    def _idle(self) -> Mapping[int, str]:
        self.catch_up()
        # what has to be done to all parts of the store waits for all of them
        if not self.store.missing and self.clock.monotonic_s() - self._tidied_at_s >= HOUSEKEEPING_S:
            self._tidied_at_s = self.clock.monotonic_s()
            self.tidy()
        return self.store.missing

    def _commit(self, events: Sequence[Event]) -> Appended:
        with self._lock:
            self._ensure_loaded()
            return self._append(labelled(events, self.knowledge, micros(self.clock.now()), self._trusted_sources))

    def _append(self, events: Sequence[Event]) -> Appended:
        try:
            appended = self.store.append(events, fold)
        except PositionLost:
            # the log is gone; another is there, which has to learn what this one taught before it is written to
            self._load_again()
            appended = self.store.append(events, fold)
        reached = appended.follow(self._position) if len(appended.accepted) == len(events) else None
        if reached is None:
            # another process logged in between, or an earlier try did more than it could tell: read the log on
            self._follow()
        else:
            self._learn(appended, reached)
        if appended.accepted:
            changes = self._reviewed(appended)
            if changes:
                self._change(changes)
        return appended

    def _change(self, changes: Sequence[StandingChange]) -> None:
        """Log what the review called for; where its part of the store is away, as soon as that is back."""
        try:
            missing = self._append(changes).missing
        except StoreUnavailable as error:
            log.debug("changes wait for the store: %s", error)
            missing = {self.store.part_of(change): "" for change in changes}
        waiting = [change for change in changes if self.store.part_of(change) in missing]
        if waiting:
            self.leave(*waiting)

    def _follow(self) -> int:
        """Read the log to its end, or to where taking the state is less work; how many events."""
        learned = 0
        while batch := self._learn_next():
            learned += batch
            if learned >= self._far_behind:
                self._load()
                break
        return learned

    def _learn_next(self) -> int:
        try:
            events, position = self.store.events_after(self._position, self.delivery.settings.max_batch)
        except PositionLost:
            # ratings were cleared or the state rebuilt, by whichever process: what is held here is no longer true
            self._load_again()
            return 0
        if events:
            self._learn(Appended(tuple(events), fold(events)), position)
        return len(events)

    def _ensure_loaded(self) -> None:
        if not self._loaded:
            self._load()

    def _load_again(self) -> None:
        held = self.knowledge.export()
        if held and self.store.restore(held, self._position):
            log.warning("%s: the log is gone, or a part of it; what that taught is put into a new one", self.store.url)
        self._load()

    def _load(self) -> None:
        deltas, self._position = self.store.load()
        self.knowledge.replace(deltas)
        self._loaded = True

    def _learn(self, appended: Appended, position: Position) -> None:
        self.knowledge.add(appended.deltas, now_us=micros(self.clock.now()))
        self._position = position
        for listener in self._listeners:
            try:
                listener(appended)
            except Exception:  # what is committed is committed, whatever becomes of those who watch
                log.exception("a listener failed by a fault of its own")

    def _reviewed(self, appended: Appended) -> Sequence[StandingChange]:
        try:
            return self.review(appended) if self.review else ()
        except Exception:  # likewise: the events stand, and the next ones are reviewed again
            log.exception("the review of what was learned failed by a fault of tiercel")
            return ()
