"""Every result code of SQLite has a place in tiercel's tree of errors."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tiercel.adapters.sqlite_store.errors import PRIMARY, translated, translating
from tiercel.domain.errors import StoreCorrupt, StoreError, StoreUnavailable

NOT_ERRORS = ("OK", "ROW", "DONE")
# what an authorizer is asked and answers has constants too
NOT_RESULTS = (
    *("DENY", "IGNORE", "ALTER_TABLE", "ANALYZE", "ATTACH", "DELETE", "DETACH", "FUNCTION", "INSERT", "PRAGMA", "READ"),
    *("RECURSIVE", "REINDEX", "SAVEPOINT", "SELECT", "TRANSACTION", "UPDATE"),
)
CODES = {
    name.removeprefix("SQLITE_"): getattr(sqlite3, name)
    for name in dir(sqlite3)
    if name.startswith("SQLITE_") and not name.startswith(("SQLITE_LIMIT_", "SQLITE_DBCONFIG_"))
}
RESULTS = {
    name: code
    for name, code in CODES.items()
    if name not in NOT_RESULTS and not name.startswith((*NOT_ERRORS, "CREATE_", "DROP_"))
}


def raised(name: str, code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode, error.sqlite_errorname = code, f"SQLITE_{name}"
    return error


def test_the_driver_has_the_codes_this_table_is_about() -> None:
    assert len(RESULTS) > 80
    assert {"BUSY", "FULL", "CORRUPT", "IOERR_WRITE", "CANTOPEN_ISDIR"} <= RESULTS.keys()


@pytest.mark.parametrize(("name", "code"), RESULTS.items(), ids=RESULTS)
def test_every_code_is_mapped(name: str, code: int) -> None:
    assert code & 0xFF in PRIMARY
    error = translated(raised(name, code), Path("some.db"))
    assert isinstance(error, StoreError)
    assert str(error) == f"some.db: it failed (SQLITE_{name})"


AGAIN = (
    "BUSY BUSY_RECOVERY BUSY_SNAPSHOT LOCKED FULL IOERR IOERR_WRITE IOERR_FSYNC READONLY CANTOPEN PERM NOMEM PROTOCOL"
)
DAMAGED = "CORRUPT CORRUPT_INDEX NOTADB IOERR_DATA IOERR_CORRUPTFS"
OURS = "ERROR CONSTRAINT CONSTRAINT_UNIQUE MISUSE TOOBIG MISMATCH"


@pytest.mark.parametrize(("names", "kind"), [(AGAIN, StoreUnavailable), (DAMAGED, StoreCorrupt), (OURS, StoreError)])
def test_what_may_be_tried_again_what_is_damaged_and_what_is_our_fault(names: str, kind: type[StoreError]) -> None:
    for name in names.split():
        error = translated(raised(name, RESULTS[name]), Path("some.db"))
        assert type(error) is kind
        assert error.retryable is (kind is StoreUnavailable)


def test_text_that_is_none_is_damage() -> None:
    db = sqlite3.connect(":memory:")
    with pytest.raises(StoreCorrupt, match="UTF-8"), translating(Path("some.db")):
        db.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    db.close()


def test_misuse_of_the_driver_is_our_fault() -> None:
    db = sqlite3.connect(":memory:")
    db.close()
    with pytest.raises(StoreError, match="closed database"), translating(Path("some.db")):
        db.execute("SELECT 1")
