"""Events on their way to a store that is away, in SQLite files next to the process.

Each process has a file of its own, held by a lock: NAME.db, and where that is taken NAME-2.db, and so on. A file that
nobody holds was left behind by a process that ended; who starts next takes it over and delivers what is in it first,
or who has just delivered what it had kept itself. There is no file while there is nothing to keep.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.sqlite_store.errors import translating
from tiercel.adapters.sqlite_store.outbox_file import OutboxFile, opened
from tiercel.domain.errors import StoreCorrupt, StoreError
from tiercel.domain.events import Event
from tiercel.ports import Clock

log = logging.getLogger("tiercel.outbox")

DEFAULT_LIMIT = 500_000
DEFAULT_BUSY_TIMEOUT_S = 1.0

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
        self._files: list[OutboxFile] = []
        self._take_over()

    @property
    def waiting(self) -> int:
        """See `Outbox.waiting`."""
        return sum(file.waiting for file in tuple(self._files))

    @property
    def parts(self) -> Sequence[int]:
        """See `Outbox.parts`."""
        return sorted({part for file in tuple(self._files) for part in file.parts})

    def add(self, events: Sequence[Event], parts: Sequence[int] = ()) -> None:
        """See `Outbox.add`."""
        if not self._files:
            self._files.append(self._begun())
        self._files[-1].add(events, parts or [0] * len(events))

    def next(self, limit: int, part: int = 0) -> tuple[Sequence[Event], int]:
        """See `Outbox.next`."""
        for file in [file for file in self._files if part in file.parts]:
            try:
                events, mark = file.next(limit, part)
            except StoreCorrupt:
                log.exception("%s is damaged: %d events in it cannot be delivered", file.path, file.waiting)
                self._files.remove(file)
                file.abandon()
                continue
            if mark:
                return events, mark
        return (), 0

    def delivered(self, mark: int, part: int = 0) -> None:
        """See `Outbox.delivered`."""
        file = next((file for file in self._files if part in file.parts), None)
        if file is not None:
            file.delivered(mark, part)
            if not file.waiting and file is not self._files[-1]:
                self._files.remove(file)
                file.close()
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
                file = opened(left_behind, self._busy_timeout_s, self._clock)
            except StoreError as error:
                log.warning("what an outbox may hold cannot be delivered yet: %s", error)
                continue
            if file is not None and file.waiting:
                log.warning("%s: %d events of a process that ended are delivered next", file.path, file.waiting)
                self._files.append(file)
            elif file is not None:
                file.close()

    def _begun(self) -> OutboxFile:
        for number in count(1):
            path = _numbered(self.path, number)
            try:
                file = opened(path, self._busy_timeout_s, self._clock)
            except StoreError:
                if not path.exists():
                    raise
                continue  # another user's, or another program's: that is no reason to keep nothing
            if file is not None:
                return file
        raise AssertionError  # the numbers do not end


_ADDRESS_DIGITS = 8


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
