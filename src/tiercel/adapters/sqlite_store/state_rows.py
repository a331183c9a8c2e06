"""The learned state as rows, and how it follows the log.

The state is a cache of the log, written every few thousand events: it holds what the events up to `progress.learned`
taught, and what comes after that is learned when the state is loaded. So a commit costs what its events cost, and the
state is never anything but what the log teaches.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from tiercel.adapters.codec import Address, StateRow, addresses, read_state_row, state_rows
from tiercel.adapters.sqlite_store.log_rows import after
from tiercel.core.logbook import YOUNG_LOG
from tiercel.core.statistics.buckets import LADDER, Bucket
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.errors import StoreCorrupt
from tiercel.ports import Fold

LEARNED, TRIMMED = "learned", "trimmed"
CHUNK = 5_000
"""Events that are read, or removed, at a time."""

_PROGRESS = "SELECT position, learned, floor, generation, compacted_at_s, crc FROM progress"
_SET_PROGRESS = "UPDATE progress SET position = ?, learned = ?, floor = ?, generation = ?, compacted_at_s = ?, crc = ?"
_ENTRY = "SELECT crc, body FROM state WHERE layer = ? AND part = ? AND key = ? AND width_s = ? AND start_s = ?"
_WRITE = """
    INSERT INTO state (layer, part, key, width_s, start_s, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (layer, part, key, width_s, start_s) DO UPDATE SET crc = excluded.crc, body = excluded.body
"""
_LAYER = "SELECT part, key, width_s, start_s, crc, body FROM state WHERE layer = ?"
_CLEAR_LAYER = "DELETE FROM state WHERE layer = ?"
_AGED = """
    SELECT part, key, width_s, start_s, crc, body FROM state
    WHERE part = 'sums' AND width_s = ? AND start_s <= ? AND layer = ?
"""
_REMOVE_AGED = "DELETE FROM state WHERE part = 'sums' AND width_s = ? AND start_s <= ? AND layer = ?"


class Unlearned:
    """What this process appended since the state was brought up to date, so that it need not be read back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[Deltas] = []
        self._after = self._to = 0

    def note(self, after: int, to: int, deltas: Deltas) -> None:
        """Keep what the events between two positions taught."""
        with self._lock:
            if after != self._to:
                self._parts, self._after = [], after
            self._parts.append(deltas)
            self._to = to

    def forget(self, position: int) -> None:
        """The state has learned everything up to `position`."""
        with self._lock:
            self._parts, self._after, self._to = [], position, position

    def between(self, after: int, to: int) -> list[Deltas] | None:
        """What the events between exactly these positions taught; None if others appended some of them."""
        with self._lock:
            return list(self._parts) if (after, to) == (self._after, self._to) else None


class Progress(NamedTuple):
    """How far the log goes and how much of it the state has learned; see the migrations."""

    position: int
    learned: int
    floor: int
    generation: int
    compacted_at_s: float

    def without_past(self) -> Progress:
        """After a change that followers of the log cannot be told of: a position is used up for it."""
        position = self.position + 1
        return self._replace(position=position, learned=position, floor=position, generation=self.generation + 1)


def progress(db: sqlite3.Connection) -> Progress:
    """The state of the log at this moment."""
    *figures, crc = db.execute(_PROGRESS).fetchone() or (0,)
    if crc32(repr(figures).encode()) != crc:
        raise StoreCorrupt("the database has lost count of its log")
    return Progress(*figures)


def set_progress(db: sqlite3.Connection, now: Progress) -> None:
    """Write it down."""
    db.execute(_SET_PROGRESS, (*now, crc32(repr([*now]).encode())))


def read_layer(db: sqlite3.Connection, layer: str) -> Deltas:
    """All of a layer. Raises `StoreCorrupt`."""
    state = Deltas()
    for row in db.execute(_LAYER, (layer,)):
        _enter(row, state)
    return state


def replace_layer(db: sqlite3.Connection, layer: str, state: Deltas) -> None:
    """Make a layer hold `state` and nothing else."""
    db.execute(_CLEAR_LAYER, (layer,))
    db.executemany(_WRITE, _rows(layer, state))


def merge_into_layer(db: sqlite3.Connection, layer: str, *parts: Deltas) -> None:
    """Add `parts` to a layer, reading and writing only the entries they touch."""
    held = Deltas()
    for part, key, bucket in {address for deltas in parts for address in addresses(deltas)}:
        found = db.execute(_ENTRY, (layer, part, key, *bucket)).fetchone()
        if found is not None:
            _enter((part, key, *bucket, *found), held)
    held.merge(*parts)
    db.executemany(_WRITE, _rows(layer, held))


def climb_layer(db: sqlite3.Connection, layer: str, now_s: float) -> None:
    """Move the sums that have aged into coarser buckets."""
    aged = Deltas()
    for rung in LADDER[:-1]:
        bounds = (rung.width_s, now_s - rung.keep_s - rung.width_s, layer)
        for row in db.execute(_AGED, bounds):
            _enter(row, aged)
        db.execute(_REMOVE_AGED, bounds)
    merge_into_layer(db, layer, aged.climbed(now_s))


def learn(db: sqlite3.Connection, now: Progress, fold: Fold, unlearned: Unlearned | None = None) -> Progress:
    """Bring the learned layer up to the end of the log; from memory where this process appended all that is new."""
    if now.learned == now.position:
        return now
    parts = unlearned.between(now.learned, now.position) if unlearned else None
    merge_into_layer(db, LEARNED, *(parts or [taught(db, now.learned, fold)]))
    return now._replace(learned=now.position)


def taught(db: sqlite3.Connection, position: int, fold: Fold) -> Deltas:
    """What the log after `position` teaches."""
    deltas = Deltas()
    while events := after(db, position, CHUNK):
        position = events[-1].position
        deltas.merge(fold([event for _, event in events]))
    return deltas


def restore(db: sqlite3.Connection, state: Deltas, fold: Fold) -> bool:
    """Add what a log taught that is gone, if nothing but a few events was ever done to this one."""
    now = progress(db)
    if now.position > YOUNG_LOG or (now.generation and now.position):
        return False
    now = learn(db, now, fold)
    for layer in (LEARNED, TRIMMED):
        merge_into_layer(db, layer, state)
    set_progress(db, now.without_past())
    return True


def _rows(layer: str, state: Deltas) -> Iterator[tuple[str | int, ...]]:
    for row in state_rows(state):
        part, key, bucket = row.address
        yield (layer, part, key, *bucket, _checksum(row), row.body.decode())


def _enter(columns: tuple[str, str, int, int, int, str], state: Deltas) -> None:
    part, key, width_s, start_s, crc, body = columns
    row = StateRow(Address(part, key, Bucket(width_s, start_s)), body.encode())
    if _checksum(row) != crc:
        raise StoreCorrupt(f"an entry of the learned {part} is not what was written")
    read_state_row(row, state)


def _checksum(row: StateRow) -> int:
    return crc32(row.body, crc32(repr(tuple(row.address)).encode()))
