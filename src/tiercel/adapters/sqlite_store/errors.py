"""SQLite's result codes as tiercel's errors, by number and never by text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tiercel.domain.errors import StoreCorrupt, StoreError, StoreUnavailable

PRIMARY: Mapping[int, type[StoreError]] = {
    sqlite3.SQLITE_ERROR: StoreError,
    sqlite3.SQLITE_INTERNAL: StoreError,
    sqlite3.SQLITE_PERM: StoreUnavailable,
    sqlite3.SQLITE_ABORT: StoreUnavailable,
    sqlite3.SQLITE_BUSY: StoreUnavailable,
    sqlite3.SQLITE_LOCKED: StoreUnavailable,
    sqlite3.SQLITE_NOMEM: StoreUnavailable,
    sqlite3.SQLITE_READONLY: StoreUnavailable,
    sqlite3.SQLITE_INTERRUPT: StoreUnavailable,
    sqlite3.SQLITE_IOERR: StoreUnavailable,
    sqlite3.SQLITE_CORRUPT: StoreCorrupt,
    sqlite3.SQLITE_NOTFOUND: StoreError,
    sqlite3.SQLITE_FULL: StoreUnavailable,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailable,
    sqlite3.SQLITE_PROTOCOL: StoreUnavailable,
    sqlite3.SQLITE_EMPTY: StoreError,
    sqlite3.SQLITE_SCHEMA: StoreUnavailable,
    sqlite3.SQLITE_TOOBIG: StoreError,
    sqlite3.SQLITE_CONSTRAINT: StoreError,
    sqlite3.SQLITE_MISMATCH: StoreError,
    sqlite3.SQLITE_MISUSE: StoreError,
    sqlite3.SQLITE_NOLFS: StoreUnavailable,
    sqlite3.SQLITE_AUTH: StoreUnavailable,
    sqlite3.SQLITE_FORMAT: StoreCorrupt,
    sqlite3.SQLITE_RANGE: StoreError,
    sqlite3.SQLITE_NOTADB: StoreCorrupt,
    sqlite3.SQLITE_NOTICE: StoreError,
    sqlite3.SQLITE_WARNING: StoreError,
}
"""Primary result code -> error. A plain `StoreError` is a fault of tiercel's: trying again would not help."""

_DAMAGE = frozenset({sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_CORRUPTFS})
"""Input/output errors that say the file's content is wrong."""


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """The tiercel error for SQLite's."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's driver itself
        if type(error) is sqlite3.OperationalError:  # which quotes the text; it is not for logs
            return StoreCorrupt(f"{path}: a text is not UTF-8")
        return StoreError(f"{path}: {error}")
    kind = StoreCorrupt if code in _DAMAGE else PRIMARY.get(code & 0xFF, StoreError)
    return kind(f"{path}: {error} ({error.sqlite_errorname})")


@contextmanager
def translating(path: Path) -> Iterator[None]:
    """Whatever SQLite raises within becomes a `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except UnicodeDecodeError as error:  # of SQLite's message, which quotes what stands in the place of a table's text
        raise StoreCorrupt(f"{path}: a text is not UTF-8") from error
