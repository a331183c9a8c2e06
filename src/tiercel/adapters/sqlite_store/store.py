"""The store in one SQLite file. Several processes may open the same one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.codec import as_logged, kind_of
from tiercel.adapters.sqlite_store import log_rows, queries, state_rows
from tiercel.adapters.sqlite_store.database import Database
from tiercel.adapters.sqlite_store.presence import SqlitePresence
from tiercel.adapters.sqlite_store.quarantine import open_sound
from tiercel.adapters.sqlite_store.state_rows import CHUNK, LEARNED, TRIMMED, Unlearned, progress, set_progress
from tiercel.adapters.undivided import Undivided, place_of
from tiercel.core.logbook import conflicts, day_start, revise
from tiercel.core.statistics.fold import Deltas, fold, micros
from tiercel.core.statistics.forget import forget_ratings
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import PositionLost, StoreCorrupt, StoreError
from tiercel.domain.events import Event, Feedback, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.ports import START, Appended, Clock, DecisionRecord, Fold, Position, Presence, Span

log = logging.getLogger("tiercel.store")

DEFAULT_BUSY_TIMEOUT_S = 30.0
DEFAULT_LEARN_EVERY = 10_000

_COUNT_RATINGS = """
    SELECT count(*) FROM events
    WHERE kind = 'feedback' AND superseded = 0 AND workflow = ?1 AND (?2 IS NULL OR stage = ?2)
"""
_CLEAR_RATINGS = "DELETE FROM events WHERE kind = 'feedback' AND workflow = ?1 AND (?2 IS NULL OR stage = ?2)"
_OLDER = "SELECT position, kind, crc, body FROM events WHERE at_us < ? ORDER BY at_us LIMIT ?"
_REMOVE = "DELETE FROM events WHERE position = ?"


class SqliteStore(Undivided):
    """A log and its learned state in the file at `path`. Thread-safe; open it in each process for itself.

    `teach` is the fold that `load` and `trim` use. The state is brought up to date every `learn_every` events. A file
    that is damaged is put aside (path.corrupt-TIME) and a fresh one begun; the log says so. Raises `StoreError`.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        teach: Fold = fold,
        busy_timeout_s: float = DEFAULT_BUSY_TIMEOUT_S,
        learn_every: int = DEFAULT_LEARN_EVERY,
        clock: Clock | None = None,
    ) -> None:
        self.path = Path(path)
        self.url = f"sqlite:///{self.path}"
        self._teach = teach
        self._learn_every = learn_every
        self._unlearned = Unlearned()
        self._database: Database = open_sound(self.path, busy_timeout_s, clock or SystemClock())
        self.presence: Presence = SqlitePresence(self._database)

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """See `EventStore.append`."""
        if not events:
            return Appended((), Deltas())
        accepted, refused = list[Event](), list[str]()
        with self._database.writing() as db:
            before = progress(db)
            position = before.position
            for event in events:
                logged = _log(db, position + 1, event, refused)
                if logged is not None:
                    position += 1
                    accepted.append(logged)
            deltas = fold(accepted)
            if accepted:
                set_progress(db, before._replace(position=position))
        if not accepted:
            return Appended((), deltas, tuple(refused))
        self._unlearned.note(before.position, position, deltas)
        if position - before.learned >= self._learn_every:
            self._learn(fold)
        return Appended(tuple(accepted), deltas, tuple(refused), (Span(0, before.position, position),))

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """See `EventStore.events_after`."""
        after = place_of(position)
        with self._database.reading() as db:
            if after < progress(db).floor:
                raise PositionLost
            found = log_rows.after(db, after, limit)
        return [event for _, event in found], (found[-1].position if found else after,)

    def oldest(self) -> Position:
        """See `EventStore.oldest`."""
        with self._database.reading() as db:
            return (progress(db).floor,)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """See `EventStore.decision`."""
        with self._database.reading() as db:
            return queries.decision(db, decision_id)

    def decision_of_completion(self, completion_id: str) -> str | None:
        """See `EventStore.decision_of_completion`."""
        with self._database.reading() as db:
            return queries.decision_of_completion(db, completion_id)

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        """See `EventStore.recent_decisions`."""
        with self._database.reading() as db:
            return queries.recent_decisions(db, limit)

    def decisions_until(self, until: datetime, limit: int) -> Sequence[Decision]:
        """See `EventStore.decisions_until`."""
        with self._database.reading() as db:
            return queries.decisions_until(db, micros(until), limit)

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """See `EventStore.recent_alerts`."""
        with self._database.reading() as db:
            return queries.recent_alerts(db, limit)

    def alert_trail(self, limit: int) -> Sequence[Acknowledgement | Notice]:
        """See `EventStore.alert_trail`."""
        with self._database.reading() as db:
            return queries.alert_trail(db, limit)

    def recent_changes(self, limit: int, until: datetime | None = None) -> Sequence[StandingChange]:
        """See `EventStore.recent_changes`."""
        with self._database.reading() as db:
            return queries.recent_changes(db, limit, None if until is None else micros(until))

    def signals(self, agent_id: str, after: str, limit: int) -> Sequence[Signal]:
        """See `EventStore.signals`."""
        with self._database.reading() as db:
            return queries.signals(db, agent_id, after, limit)

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        """See `EventStore.feedback_history`."""
        with self._database.reading() as db:
            return queries.feedback_history(db, workflow, stage, tier, limit)

    def rated_tiers(self, workflow: str) -> Sequence[tuple[str, str]]:
        """See `EventStore.rated_tiers`."""
        with self._database.reading() as db:
            return queries.rated_tiers(db, workflow)

    def clear_feedback(self, workflow: str, stage: str | None, fold: Fold) -> int:
        """See `EventStore.clear_feedback`."""
        with self._database.writing() as db:
            now = state_rows.learn(db, progress(db), fold)
            (count,) = db.execute(_COUNT_RATINGS, (workflow, stage)).fetchone()
            db.execute(_CLEAR_RATINGS, (workflow, stage))
            for layer in (LEARNED, TRIMMED):
                state = state_rows.read_layer(db, layer)
                forget_ratings(state, workflow, stage)
                state_rows.replace_layer(db, layer, state)
            set_progress(db, now.without_past())
        return int(count)

    def trim(self, before: datetime) -> int:
        """See `EventStore.trim`. Works through the log in small transactions, so others can write in between."""
        cut_us = micros(day_start(before))
        removed = 0
        while chunk := self._trim_some(cut_us):
            removed += chunk
        return removed

    def load(self) -> tuple[Deltas, Position]:
        """See `StateStore.load`."""
        with self._database.reading() as db:
            now = progress(db)
            state = state_rows.read_layer(db, LEARNED)
            state.merge(state_rows.taught(db, now.learned, self._teach))
        return state.climbed(now.compacted_at_s), (now.position,)

    def compact(self, now: datetime) -> None:
        """See `StateStore.compact`."""
        now_s = now.timestamp()
        with self._database.writing() as db:
            done = state_rows.learn(db, progress(db), self._teach)
            for layer in (LEARNED, TRIMMED):
                state_rows.climb_layer(db, layer, now_s)
            set_progress(db, done._replace(compacted_at_s=now_s, generation=done.generation + 1))

    def rebuild(self, fold: Fold) -> None:
        """See `StateStore.rebuild`. The log is read beside the writers; they wait only while the state is exchanged."""
        while True:
            with self._database.reading() as db:
                seen = progress(db)
                state = state_rows.read_layer(db, TRIMMED)
                state.merge(state_rows.taught(db, 0, fold))
            with self._database.writing() as db:
                now = progress(db)
                if now.generation != seen.generation:
                    continue
                state_rows.replace_layer(db, LEARNED, state.climbed(now.compacted_at_s))
                now = state_rows.learn(db, now._replace(learned=seen.position), fold)
                set_progress(db, now.without_past())
                return

    def restore(self, state: Deltas, position: Position = START) -> bool:  # noqa: ARG002 - it is gone whole or not at all
        """See `StateStore.restore`."""
        with self._database.writing() as db:
            return state_rows.restore(db, state, self._teach)

    def close(self) -> None:
        """See `Store.close`."""
        self._database.close()

    def _learn(self, fold: Fold) -> None:
        try:
            with self._database.writing() as db:
                now = progress(db)
                if now.position - now.learned >= self._learn_every:
                    set_progress(db, state_rows.learn(db, now, fold, self._unlearned))
            self._unlearned.forget(now.position)
        except StoreError as error:  # what was appended is on disk, whatever becomes of the state
            log.warning("the state was not brought up to date, the next commit will try again: %s", error)

    def _trim_some(self, cut_us: int) -> int:
        with self._database.writing() as db:
            old = [log_rows.read(row) for row in db.execute(_OLDER, (cut_us, CHUNK))]
            if old:
                now = state_rows.learn(db, progress(db), self._teach)
                state_rows.merge_into_layer(db, TRIMMED, self._teach([event for _, event in old]))
                db.executemany(_REMOVE, [(position,) for position, _ in old])
                floor = max(now.floor, *(position for position, _ in old))
                set_progress(db, now._replace(floor=floor, generation=now.generation + 1))
        return len(old)


def _log(db: sqlite3.Connection, position: int, event: Event, refused: list[str]) -> Event | None:
    """Log one event. None if its id was there already, and then in `refused` if it said something else."""
    entry = event
    if isinstance(event, Feedback):
        entry, _ = revise(event, None)
    if log_rows.insert(db, position, entry):
        return entry
    known = log_rows.by_id(db, kind_of(event), event.id)
    if known is not None:
        if conflicts(as_logged(event), known.event):
            refused.append(event.id)
        return None
    if isinstance(event, Feedback) and (in_force := log_rows.rating_in_force(db, event)) is not None:
        entry, newest = revise(event, in_force.event)
        if newest:
            log_rows.supersede(db, in_force.position)
        if log_rows.insert(db, position, entry, superseded=not newest):
            return entry
    raise StoreCorrupt(f"the log has an entry {position} beyond its end")
