"""Opening a file that may be damaged: it is put aside, the log says so, and a fresh one is begun."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tiercel.adapters.sqlite_store.database import STORE, Database, Schema
from tiercel.adapters.sqlite_store.log_rows import after
from tiercel.adapters.sqlite_store.state_rows import CHUNK, LEARNED, TRIMMED, progress, read_layer
from tiercel.domain.errors import StoreCorrupt, StoreError, StoreUnavailable
from tiercel.ports import Clock

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("tiercel.store")

WHOLLY_CHECKED_BYTES = 16 << 20
CHECKED_BYTES = 64 << 20
"""Larger files are checked less at the start, which should not take a second; damage there shows when it is read."""


Check = Callable[[sqlite3.Connection], None]
"""Reads what a start depends on; raises `StoreError` where it cannot be read."""


def open_sound(
    path: Path, busy_timeout_s: float, clock: Clock, *, schema: Schema = STORE, check: Check | None = None
) -> Database:
    """The database at `path`, or a fresh one where that is damaged. Raises `StoreError` where neither can be had."""
    opened = partial(_open_checked, path, busy_timeout_s, schema, check or _check_store)
    try:
        with _others_kept_from(path.parent, putting_aside=False):
            return opened()
    except StoreCorrupt as found:
        damage = found
    with _others_kept_from(path.parent, putting_aside=True):
        try:
            return opened()  # another process may have put it aside by now
        except StoreCorrupt:
            aside = _put_aside(path, clock)
        log.error("%s is damaged and was put aside as %s; a fresh one is begun: %s", path, aside.name, damage)
        return opened()


def _open_checked(path: Path, busy_timeout_s: float, schema: Schema, check: Check) -> Database:
    database = Database(path, busy_timeout_s, schema)
    try:
        _check(database, check)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: Database, check: Check) -> None:
    """Read what a start depends on. Raises `StoreCorrupt`."""
    try:
        with database.reading() as db:
            _read_through(db, database.path)
            check(db)
    except (StoreCorrupt, StoreUnavailable):
        raise
    except StoreError as error:  # SQLite finds no fault with the file, but the tables are not there
        raise StoreCorrupt(str(error)) from error


def _check_store(db: sqlite3.Connection) -> None:
    for layer in (LEARNED, TRIMMED):
        read_layer(db, layer)
    position = progress(db).learned
    while events := after(db, position, CHUNK):
        position = events[-1].position


def _read_through(db: sqlite3.Connection, path: Path) -> None:
    size = path.stat().st_size
    if size > CHECKED_BYTES:
        return
    check = "PRAGMA integrity_check(1)" if size <= WHOLLY_CHECKED_BYTES else "PRAGMA quick_check(1)"
    (found,) = db.execute(check).fetchone()
    if found != "ok":
        raise StoreCorrupt(f"{path}: {found.splitlines()[-1]}")


@contextmanager
def _others_kept_from(folder: Path, *, putting_aside: bool) -> Iterator[None]:
    """Many processes may look at a file together; while one puts it aside no other looks.

    SQLite's own locks and journals go by the file's name, which two files then have in turn. (Windows does not let a
    file be renamed that others have open.)
    """
    if sys.platform == "win32":
        yield
        return
    with ExitStack() as opened:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            opened.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX if putting_aside else fcntl.LOCK_SH)
        except OSError as error:
            raise StoreUnavailable(f"{folder}: {error.strerror}") from error
        yield


def _put_aside(path: Path, clock: Clock) -> Path:
    name = f"{path.name}.corrupt-{clock.now():%Y%m%dT%H%M%SZ}"
    aside = path.with_name(name)
    taken = 1
    while aside.exists():
        taken += 1
        aside = path.with_name(f"{name}-{taken}")
    try:
        for suffix in ("-wal", "-shm", ""):  # the file last: until it has gone, the next start finds the damage again
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreCorrupt(f"{path} is damaged and cannot be put aside: {error}") from error
    return aside
