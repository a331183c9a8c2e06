"""Events on their way to a store that is away, in SQLite files next to the process.

Each process has a file of its own, held by a lock: NAME.db, and where that is taken NAME-2.db, and so on. A file that
nobody holds was left behind by a process that ended; who starts next takes it over and delivers what is in it first,
or who has just delivered what it had kept itself. There is no file while there is nothing to keep.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from zlib import crc32

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.codec import encode_event, kind_of
from tiercel.adapters.sqlite_store.database import Database, Schema
from tiercel.adapters.sqlite_store.errors import translating
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
DEFAULT_LIMIT = 500_000
DEFAULT_BUSY_TIMEOUT_S = 1.0

_ENDS = "SELECT coalesce(min(position), 1), coalesce(max(position), 0) FROM waiting"
_INSERT = "INSERT INTO waiting (position, kind, crc, body, decision_id) VALUES (?, ?, ?, ?, ?)"
_NEXT = "SELECT position, kind, crc, body FROM waiting WHERE position >= ? ORDER BY position LIMIT ?"
_ABOUT = "SELECT position, kind, crc, body FROM waiting WHERE decision_id = ? ORDER BY position"
_REMOVE = "DELETE FROM waiting WHERE position <= ?"
_COUNT = "SELECT count(*) FROM waiting"


class SqliteOutbox:
    """Keeps up to `limit` events beside `path`; see `Outbox`.

    Opening writes nothing. A file that cannot be taken over is left where it is, and the log says why.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        limit: int = DEFAULT_LIMIT,
        busy_timeout_s: float = DEFAULT_BUSY_TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self.limit = limit
        self._busy_timeout_s = busy_timeout_s
        self._clock = clock or SystemClock()
        self._files: list[_File] = []
        self._take_over()

    @property
    def waiting(self) -> int:
        """See `Outbox.waiting`."""
        return sum(file.waiting for file in tuple(self._files))

    def add(self, events: Sequence[Event]) -> None:
        """See `Outbox.add`."""
        if not self._files:
            self._files.append(self._begun())
        self._files[-1].add(events)

    def next(self, limit: int) -> tuple[Sequence[Event], int]:
        """See `Outbox.next`."""
        while self._files:
            file = self._files[0]
            try:
                events, mark = file.next(limit)
            except StoreCorrupt:
                log.exception("%s is damaged: %d events in it cannot be delivered", file.path, file.waiting)
                self._files.pop(0).abandon()
                continue
            if mark or len(self._files) == 1:
                return events, mark
            self._files.pop(0).close()
        return (), 0

    def delivered(self, mark: int) -> None:
        """See `Outbox.delivered`."""
        file = self._files[0]
        file.delivered(mark)
        if not file.waiting and len(self._files) > 1:
            self._files.pop(0).close()
        if not self.waiting:
            self._take_over()

    def about(self, decision_id: str) -> Sequence[Event]:
        """See `Outbox.about`."""
        return [event for file in tuple(self._files) for event in file.about(decision_id)]

    def close(self) -> None:
        """See `Outbox.close`."""
        while self._files:
            self._files.pop().close()

    def _take_over(self) -> None:
        """Have what processes left behind that ended: before this one began, or while the store was away."""
        for left_behind in outbox_files(self.path):
            try:
                file = self._opened(left_behind)
            except StoreError as error:
                log.warning("what an outbox may hold cannot be delivered yet: %s", error)
                continue
            if file is not None and file.waiting:
                log.warning("%s: %d events of a process that ended are delivered next", file.path, file.waiting)
                self._files.append(file)
            elif file is not None:
                file.close()

    def _begun(self) -> _File:
        for number in count(1):
            path = _numbered(self.path, number)
            try:
                file = self._opened(path)
            except StoreError:
                if not path.exists():
                    raise
                continue  # another user's, or another program's: that is no reason to keep nothing
            if file is not None:
                return file
        raise AssertionError  # the numbers do not end

    def _opened(self, path: Path) -> _File | None:
        """The file at `path`, or None where a process that lives has it."""
        held = _hold(path)
        if held is None:
            return None
        try:
            database = open_sound(path, self._busy_timeout_s, self._clock, schema=OUTBOX, check=_check)
            return _File(database, held)
        except OSError as error:  # such as too many open files
            os.close(held)
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        except BaseException:
            os.close(held)
            raise


class _File:
    """One file, held: what stands at `_first` and after is to be delivered yet."""

    def __init__(self, database: Database, held: int) -> None:
        self.path = database.path
        self._database = database
        self._held = held
        self._pid = os.getpid()
        with database.reading() as db:
            self._first, self._last = db.execute(_ENDS).fetchone()

    @property
    def waiting(self) -> int:
        return int(self._last - self._first + 1)

    def add(self, events: Sequence[Event]) -> None:
        last = self._last
        rows = []
        for position, event in enumerate(events, last + 1):
            body = encode_event(event)
            rows.append((position, kind_of(event), crc32(body), body.decode(), _decision_id(event)))
        with self._database.writing() as db:
            db.executemany(_INSERT, rows)
        self._last = last + len(rows)

    def about(self, decision_id: str) -> Sequence[Event]:
        with self._database.reading() as db:
            return [read(row).event for row in db.execute(_ABOUT, (decision_id,))]

    def next(self, limit: int) -> tuple[Sequence[Event], int]:
        with self._database.reading() as db:
            rows = db.execute(_NEXT, (self._first, limit)).fetchall()
        events: list[Event] = []
        for row in rows:
            try:
                events.append(read(row).event)
            except StoreCorrupt as damage:
                log.error("%s: an event is lost: %s", self.path, damage)  # noqa: TRY400 - it says where, a trace no more
        if not rows and self.waiting:
            log.error("%s: %d events are lost: somebody else removed them", self.path, self.waiting)
            self._first = self._last + 1
        return events, (rows[-1][0] if rows else 0)

    def delivered(self, mark: int) -> None:
        self._first = mark + 1
        try:
            with self._database.writing() as db:
                db.execute(_REMOVE, (mark,))
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
_ADDRESS_DIGITS = 8


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
    db.execute(_ENDS).fetchone()


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def outbox_files(path: Path) -> list[Path]:
    """The outboxes beside `path` that exist, in the order of their numbers; their content is another matter."""
    pattern = re.compile(rf"{re.escape(path.stem)}(?:-(\d+))?{re.escape(path.suffix)}")
    numbered = ((pattern.fullmatch(entry.name), entry) for entry in _entries(path.parent))
    found = [(int(match[1] or 1), entry) for match, entry in numbered if match]
    return [entry for _, entry in sorted(found)]


def outboxes_of_others(path: Path) -> list[Path]:
    """The outboxes beside `path` whose names differ from its only in the digits that stand for a store's address."""
    name = re.escape(path.stem[:-_ADDRESS_DIGITS])
    pattern = re.compile(rf"{name}[0-9a-f]{{{_ADDRESS_DIGITS}}}(-\d+)?{re.escape(path.suffix)}")
    ours = set(outbox_files(path))
    return sorted(entry for entry in _entries(path.parent) if pattern.fullmatch(entry.name) and entry not in ours)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:  # no folder, no outboxes; writing to it will say what is wrong
        return


def waiting_in(path: Path) -> int:
    """How many events wait in the outbox at `path`. Raises `StoreError`."""
    with translating(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as db:
        (waiting,) = db.execute(_COUNT).fetchone()
    return int(waiting)
