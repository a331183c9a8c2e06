"""Adding to an export: an append-only copy of the log that is never seen half written.

Parts are written under other names and renamed, and only then the manifest says that what they hold was exported. So
after a crash a part beyond the manifest may be there: the next writer removes it and exports the same again.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tiercel.adapters.parquet_log.folder import (
    UNFINISHED,
    Manifest,
    Part,
    parts,
    read_manifest,
    tables,
    to_disk,
    unfinished,
    write_manifest,
)
from tiercel.adapters.parquet_log.rows import KIND_OF, Row, day_of
from tiercel.domain.errors import InvalidInput, TiercelError
from tiercel.domain.events import Event
from tiercel.ports import START, Mark, Position

if sys.platform != "win32":
    import fcntl

EVENTS_AT_ONCE = 200_000
BYTES_AT_ONCE = 64 << 20
"""Of whichever comes first, in memory: then parts are written."""


@contextmanager
def writing(folder: Path) -> Iterator[ParquetArchive]:
    """The export in `folder`, which need not exist, for one writer.

    Raises `MissingDependency`, `InvalidInput` for a folder that holds something else, and `TiercelError` while
    another process writes there or where the disk refuses.
    """
    tables()
    with ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if sys.platform != "win32":
                # released by the system when the process ends, however it ends; Windows locks no folders
                descriptor = os.open(folder, os.O_RDONLY)
                opened.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield ParquetArchive(folder)
        except BlockingIOError as error:
            raise TiercelError(f"another process exports to {folder} at the moment") from error
        except OSError as error:
            raise TiercelError(f"{folder} cannot be written: {error.strerror or error}") from error


class ParquetArchive:
    """See `Archive`. `rows` (by table), `parts` and `size_bytes` count what was written since it was opened."""

    def __init__(
        self, folder: Path, *, events_at_once: int = EVENTS_AT_ONCE, bytes_at_once: int = BYTES_AT_ONCE
    ) -> None:
        self._folder = folder
        self._tables = tables()
        self._events_at_once, self._bytes_at_once = events_at_once, bytes_at_once
        self.rows, self.parts, self.size_bytes = Counter[str](), 0, 0
        found = read_manifest(folder)
        self._clear_away(found)
        self._written = found.mark if found else None
        self._reached = self._written or Mark(START)
        self._written_events = self._events = found.events if found else 0
        self._pending: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        self._pending_bytes = 0

    @property
    def mark(self) -> Mark | None:
        """See `Archive.mark`."""
        return self._written

    def begin(self, position: Position) -> None:
        """See `Archive.begin`."""
        self.flush()
        self._say(Mark(position))

    def add(self, events: Sequence[Event], position: Position) -> None:
        """See `Archive.add`."""
        rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for place, event in enumerate(events, self._events + 1):
            kind = KIND_OF[type(event)]
            rows[kind.table, day_of(event)].append({"position": place, **kind.row(event)})
        for (table, day), found in rows.items():
            batch = self._tables.batch_of(table, found)
            self._pending[table, day].append(batch)
            self._pending_bytes += batch.nbytes
        self._events += len(events)
        self._reached = Mark(position, events[-1].id)
        if self._events - self._written_events >= self._events_at_once or self._pending_bytes >= self._bytes_at_once:
            self.flush()

    def flush(self) -> None:
        """See `Archive.flush`."""
        if not self._pending:
            return
        fresh = {
            Part(self._written_events + 1, self._events, table, day).path(self._folder): (table, batches)
            for (table, day), batches in self._pending.items()
        }
        for path, (table, batches) in fresh.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished_path = path.with_name(path.name + UNFINISHED)
            self._tables.write(unfinished_path, table, batches)
            to_disk(unfinished_path)
        for path, (table, batches) in fresh.items():
            path.with_name(path.name + UNFINISHED).replace(path)
            self.rows[table] += sum(batch.num_rows for batch in batches)
            self.size_bytes += path.stat().st_size
        for folder in {above for path in fresh for above in path.parents[:3]}:
            to_disk(folder)
        self.parts += len(fresh)
        self._say(self._reached)
        self._pending.clear()
        self._pending_bytes = 0

    def _say(self, mark: Mark) -> None:
        write_manifest(self._folder, self._events, mark)
        self._written = self._reached = mark
        self._written_events = self._events

    def _clear_away(self, found: Manifest | None) -> None:
        """What the last writer was about to export when it ended. Without a manifest nobody knows what that is."""
        for path in unfinished(self._folder):
            path.unlink()
        for part in list(parts(self._folder)):
            if found is None:
                said = "holds parts of an export and no manifest: restore it, or export to another folder"
                raise InvalidInput(f"{self._folder} {said}")
            if part.first > found.events:
                part.path(self._folder).unlink()
