"""One file of an outbox, held by its process as long as it lives."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from tiercel.adapters.codec import encode_event, kind_of
from tiercel.adapters.sqlite_store.database import Database, Schema
from tiercel.adapters.sqlite_store.log_rows import read
from tiercel.adapters.sqlite_store.quarantine import open_sound
from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreCorrupt, StoreError, StoreUnavailable
from tiercel.domain.events import Event, Outcome
from tiercel.ports import Clock

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("tiercel.outbox")

OUTBOX = Schema("outbox_migrations", int.from_bytes(b"tiob"))

_LAST = "SELECT coalesce(max(position), 0) FROM waiting"
_COUNTS = "SELECT part, count(*) FROM waiting GROUP BY part"
_INSERT = "INSERT INTO waiting (position, kind, crc, body, decision_id, part) VALUES (?, ?, ?, ?, ?, ?)"
_NEXT = "SELECT position, kind, crc, body FROM waiting WHERE part = ? AND position >= ? ORDER BY position LIMIT ?"
_ABOUT = "SELECT position, kind, crc, body FROM waiting WHERE decision_id = ? ORDER BY position"
_REMOVE = "DELETE FROM waiting WHERE part = ? AND position <= ?"


def opened(path: Path, busy_timeout_s: float, clock: Clock) -> OutboxFile | None:
    """The file at `path`, or None where a process that lives has it. Raises `StoreError`."""
    held = _hold(path)
    if held is None:
        return None
    try:
        return OutboxFile(open_sound(path, busy_timeout_s, clock, schema=OUTBOX, check=_check), held)
    except OSError as error:  # such as too many open files
        os.close(held)
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    except BaseException:
        os.close(held)
        raise


class OutboxFile:
    """One file, held. `_counts` say how much of it is to be delivered yet, for each part of the store."""

    def __init__(self, database: Database, held: int) -> None:
        self.path = database.path
        self._database = database
        self._held = held
        self._pid = os.getpid()
        self._delivered: dict[int, int] = {}
        self._given: dict[int, int] = {}
        with database.reading() as db:
            (self._last,) = db.execute(_LAST).fetchone()
            self._counts: dict[int, int] = dict(db.execute(_COUNTS).fetchall())

    @property
    def waiting(self) -> int:
        """How many events are to be delivered yet."""
        return sum(tuple(self._counts.values()))

    @property
    def parts(self) -> Collection[int]:
        """The parts of the store that they belong to."""
        return self._counts.keys()

    def add(self, events: Sequence[Event], parts: Sequence[int]) -> None:
        """See `Outbox.add`."""
        last = self._last
        rows = []
        for position, (event, part) in enumerate(zip(events, parts, strict=True), last + 1):
            body = encode_event(event)
            rows.append((position, kind_of(event), crc32(body), body.decode(), _decision_id(event), part))
        with self._database.writing() as db:
            db.executemany(_INSERT, rows)
        self._last = last + len(rows)
        self._counts = Counter(self._counts) + Counter(parts)

    def about(self, decision_id: str) -> Sequence[Event]:
        """See `Outbox.about`."""
        with self._database.reading() as db:
            return [read(row).event for row in db.execute(_ABOUT, (decision_id,))]

    def next(self, limit: int, part: int) -> tuple[Sequence[Event], int]:
        """See `Outbox.next`. Raises `StoreCorrupt`."""
        with self._database.reading() as db:
            rows = db.execute(_NEXT, (part, self._delivered.get(part, 0) + 1, limit)).fetchall()
        events: list[Event] = []
        for row in rows:
            try:
                events.append(read(row).event)
            except StoreCorrupt as damage:
                log.error("%s: an event is lost: %s", self.path, damage)  # noqa: TRY400 - it says where, a trace no more
        if not rows:
            log.error("%s: %d events are lost: somebody else removed them", self.path, self._counts[part])
            self._counts = {other: count for other, count in self._counts.items() if other != part}
        self._given[part] = len(rows)
        return events, (rows[-1][0] if rows else 0)

    def delivered(self, mark: int, part: int) -> None:
        """See `Outbox.delivered`."""
        self._delivered[part] = mark
        left = self._counts[part] - self._given.pop(part, 0)
        self._counts = {other: left if other == part else count for other, count in self._counts.items()}
        self._counts = {other: count for other, count in self._counts.items() if count > 0}
        try:
            with self._database.writing() as db:
                db.execute(_REMOVE, (part, mark))
        except StoreError as error:
            # a full disk: the next removal takes these too, and after a crash they are sent once more, to no effect
            log.warning("what was delivered is still in the outbox: %s", error)

    def close(self) -> None:
        """Let go of the file, and remove it where nothing waits in it."""
        if os.getpid() != self._pid:  # a fork ends: file, lock and connections are those of the process it came from
            return
        self._database.close()
        with suppress(OSError):  # what cannot be removed is found and removed by who starts next
            for suffix in ("", "-wal", "-shm", _LOCK) if not self.waiting else ():
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        os.close(self._held)

    def abandon(self) -> None:
        """Let go of a file that is damaged: who opens it next puts it aside."""
        self._database.close()
        os.close(self._held)


def _decision_id(event: Event) -> str | None:
    if isinstance(event, Decision):
        return event.id
    return event.decision_id if isinstance(event, Outcome) else None


_LOCK = "-lock"


def _hold(path: Path) -> int | None:
    """A descriptor by which this process holds `path` until it is closed; None where another holds it.

    The lock is on a file of its own: SQLite's would be lost with any descriptor of the database that is closed.
    """
    lock = path.with_name(path.name + _LOCK)
    try:
        while True:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if sys.platform != "win32":  # there two processes may share a file: all is delivered, some of it twice
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:  # who held it has removed it meanwhile
                pass
            os.close(descriptor)
    except OSError as error:
        raise StoreUnavailable(f"{lock}: {error.strerror}") from error


def _check(db: sqlite3.Connection) -> None:
    db.execute(_LAST).fetchone()
