"""One SQLite file: connections, transactions and migrations.

One connection writes, under a lock; readers take theirs from a pool and never wait for the writer (WAL). A connection
that failed is closed, not used again. Each commit is on disk before it returns (synchronous = FULL).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from tiercel.adapters.sqlite_store.errors import translating
from tiercel.domain.errors import StoreError, StoreUnavailable


class Schema(NamedTuple):
    """What a file is for: the folder of its migrations, and the number by which SQLite knows such a file."""

    folder: str
    application_id: int


STORE = Schema("migrations", int.from_bytes(b"tier"))
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -32768",  # KiB
    "PRAGMA wal_autocheckpoint = 4096",  # pages of 4 KiB: pages written again and again are moved to the file once
    "PRAGMA journal_size_limit = 67108864",
)
_RETRY_S = 0.005


class Database:
    """A file, opened by one process. Raises `StoreError`s.

    `busy_timeout_s` is how long a transaction may wait for other processes before `StoreUnavailable`.
    """

    def __init__(self, path: Path, busy_timeout_s: float, schema: Schema = STORE) -> None:
        self.path = path
        self.busy_timeout_s = busy_timeout_s
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        with translating(path):
            with closing(sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)) as db:
                db.execute("BEGIN")
                current = schema_version(db, path, schema) == len(
                    migrations(schema)
                )  # asked before anything is changed
            db = self._connect()
            try:
                if not current:
                    migrate(db, path, schema)
            except BaseException:
                db.close()
                raise
        self._writer = db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: on disk at the end, undone on an error."""
        with self._lock, translating(self.path):
            self._ensure_open()
            db, self._writer = self._writer or self._connect(), None
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.close()
                raise
            self._writer = db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that reads one consistent moment."""
        with translating(self.path):
            self._ensure_open()
            try:
                db = self._readers.pop()
            except IndexError:
                db = self._connect()
            try:
                db.execute("BEGIN")
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.close()
                raise
            if self._closed:
                db.close()
            else:
                self._readers.append(db)

    def close(self) -> None:
        """Close the connections; idempotent."""
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            while self._readers:
                self._readers.pop().close()

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.path}: the store was closed")
        if os.getpid() != self._pid:
            raise StoreError(f"{self.path}: opened before a fork; open the store again in each process")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=self.busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            self._write_ahead(db)
            for setting in _SETTINGS:
                db.execute(setting)
        except BaseException:
            db.close()
            raise
        return db

    def _write_ahead(self, db: sqlite3.Connection) -> None:
        deadline_s = time.monotonic() + self.busy_timeout_s
        while True:
            try:
                (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                # SQLite does not wait for other processes here as it does elsewhere
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                    raise
                time.sleep(_RETRY_S)
                continue
            if mode != "wal":
                raise StoreError(f"{self.path}: no write-ahead log is possible here (journal mode {mode!r})")
            return


def migrations(schema: Schema = STORE) -> list[str]:
    """The schema's versions in order: the n-th brings a database from version n - 1 to n."""
    folder = resources.files(__package__) / schema.folder
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [entry.read_text(encoding="utf-8") for entry in files]


def migrate(db: sqlite3.Connection, path: Path, schema: Schema = STORE) -> None:
    """Bring the schema up to date, all of it or nothing. Raises `StoreError` as `schema_version` does."""
    db.execute("BEGIN IMMEDIATE")
    for script in migrations(schema)[schema_version(db, path, schema) :]:
        for statement in _statements(script):
            db.execute(statement)
    db.execute("COMMIT")


def schema_version(db: sqlite3.Connection, path: Path, schema: Schema = STORE) -> int:
    """The version of the schema, 0 for a new file. Raises `StoreError` for a file that is not ours or too new.

    To be asked in a transaction: another process may be making the tables.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    newest = len(migrations(schema))
    if application_id != schema.application_id and (version or application_id or tables):
        raise StoreError(f"{path}: another program's database; give tiercel a file of its own")
    if version > newest:
        known = f"(schema {version}, this one knows {newest})"
        raise StoreError(f"{path}: written by a newer tiercel {known}; upgrade tiercel or use another file")
    return int(version)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
