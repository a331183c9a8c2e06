"""A disk that fails; a file that is damaged, locked, too new or not ours: the store says so and loses nothing."""

from __future__ import annotations

import logging
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support.child import CHILD_ENVIRONMENT
from support.happenings import alert, at, decision, feedback, outcome
from support.reported import Reported
from tiercel.adapters.sqlite_store import SqliteStore, database, state_rows
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreCorrupt, StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.testing import ManualClock

EVENTS: list[Event] = [
    event
    for n in range(60)
    for event in (
        decision(n, seconds=n * 4_000),
        outcome(n, seconds=n * 4_000 + 1, completion_id=f"cmpl_{n}"),
        feedback(f"f{n}", n % 11 / 10, seconds=n * 4_000 + 2, decision_id=f"dec_{n}", source="user:1"),
        alert(n, seconds=n * 4_000 + 3),
    )
]


def filled(path: Path) -> Path:
    """A file with a log, a learned state and something trimmed."""
    with closing(SqliteStore(path, learn_every=150)) as store:
        store.append(EVENTS, fold)
        store.trim(at(86_400))
    return path


def set_aside(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if ".corrupt-" in entry.name)


@pytest.mark.parametrize("damage", [b"no database at all" * 500, b"SQLite format 3\x00" + b"\xff" * 8_000])
def test_a_damaged_file_is_put_aside_and_a_fresh_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR), closing(SqliteStore(path, clock=ManualClock())) as store:
        assert store.append([outcome(1)], fold).accepted
    assert set_aside(tmp_path) == ["log.db.corrupt-20260101T000000Z"]
    assert (tmp_path / "log.db.corrupt-20260101T000000Z").read_bytes() == damage
    assert "put aside as log.db.corrupt-20260101T000000Z" in caplog.text


def test_a_second_damage_of_the_same_second_is_put_aside_too(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "log.db").write_bytes(b"no database" * 100)
        SqliteStore(tmp_path / "log.db", clock=ManualClock()).close()
    assert set_aside(tmp_path) == ["log.db.corrupt-20260101T000000Z", "log.db.corrupt-20260101T000000Z-2"]


def test_tables_that_are_not_there_are_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "log.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE state")
    SqliteStore(path).close()
    assert len(set_aside(tmp_path)) == 1


def test_a_table_that_is_no_text_is_damage(tmp_path: Path) -> None:
    """SQLite's message quotes what it found, and the driver cannot read that."""
    path = filled(tmp_path / "log.db")
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE state (", b"CREATE \x9bABLE state (", 1))
    SqliteStore(path).close()
    assert len(set_aside(tmp_path)) == 1


def everything(store: SqliteStore) -> list[Event]:
    """All that can be read of a store."""
    state, end = store.load()
    assert state.sums
    found: list[Event] = [*store.recent_decisions(1_000), *store.recent_alerts(1_000)]
    found += [
        rating for tier in ("cheap", None) for rating in store.feedback_history("review", "analysis", tier, 1_000)
    ]
    for n in range(60):
        record = store.decision(f"dec_{n}")
        if record is not None:
            found += [record.decision, *record.outcomes, *record.feedback]
    log, _ = store.events_after((end[0] - 50,), 1_000)
    return [*found, *log]


def overwrite(path: Path, draw: random.Random) -> None:
    """Some bytes are not what was written, or the end is missing."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if draw.random() < 0.2:
            file.truncate(draw.randrange(1, size))
        else:
            file.seek(draw.randrange(100, size))  # what the header says of the version is believed
            file.write(draw.randbytes(draw.choice((1, 8, 200))))


def miscount(path: Path, draw: random.Random) -> None:
    """One digit of what was learned: a count in a latency sketch, which SQLite itself cannot miss."""
    counts = [found.start(1) for found in re.finditer(rb'\{"[0-9]+":(1)\}', path.read_bytes())]
    with path.open("r+b") as file:
        file.seek(draw.choice(counts))
        file.write(b"7")


@pytest.mark.parametrize("damage", [overwrite, miscount])
def test_no_damage_stops_a_start_and_none_is_taken_for_data(
    tmp_path: Path, reported: Reported, damage: Callable[[Path, random.Random], None]
) -> None:
    """Hundreds of damaged files. What can be read of one is what was written, or nothing."""
    seed, files = 7, reported.size(120, 350)
    draw = random.Random(seed)
    original = filled(tmp_path / "original.db")
    with closing(SqliteStore(original)) as store:
        state, _ = store.load()
    true = {repr(event) for event in EVENTS}
    fates = Counter[str]()
    for number in range(files):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = Path(shutil.copy(original, folder / "log.db"))
        damage(path, draw)
        with closing(SqliteStore(path)) as store:
            if set_aside(folder):
                fates["put aside"] += 1
                assert store.load()[1] == (0,)
                continue
            assert store.load()[0] == state
            try:
                found = everything(store)
            except StoreCorrupt:
                fates["noticed when read"] += 1
            else:
                fates["harmless"] += 1
                assert {repr(event) for event in found} <= true
    assert fates["put aside"] > 20
    shares = ", ".join(f"{fate} {count}" for fate, count in fates.most_common())
    what = f"{damage.__name__} ({shares}): starts that failed, and data that was not what was written"
    reported.none("damage", what, of=files, seeds=seed)


def test_a_file_of_a_newer_tiercel_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path / "log.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"newer tiercel \(schema 99, this one knows {len(database.migrations())}\)"):
        SqliteStore(path)
    assert path.read_bytes() == before
    assert set_aside(tmp_path) == []


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program's database"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
        assert db.execute("PRAGMA journal_mode").fetchall() == [("delete",)]


def test_migrations_are_numbered_without_a_gap_and_say_their_number() -> None:
    names = sorted(path.name for path in Path(database.__file__).parent.glob("migrations/*.sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for number, script in enumerate(database.migrations(), 1):
        assert f"PRAGMA user_version = {number};" in script


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path / "log.db")
    with closing(sqlite3.connect(path)) as db:
        schema = db.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    newest = len(database.migrations())
    broken = f"CREATE TABLE more (x);\nCREATE TABLE more (y);\nPRAGMA user_version = {newest + 1};\n"
    scripts = [*database.migrations(), broken]
    monkeypatch.setattr(database, "migrations", lambda _: scripts)
    with pytest.raises(StoreError, match="more already exists"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall() == schema
        assert db.execute("PRAGMA user_version").fetchone() == (newest,)


@contextmanager
def failing(store: SqliteStore, setting: str) -> Iterator[None]:
    """The connection that writes has this setting, until it is given up because it failed."""
    writer = store._database._writer
    assert writer is not None
    writer.execute(setting)
    yield


@pytest.mark.parametrize("setting", ["PRAGMA max_page_count = 1", "PRAGMA query_only = 1"], ids=["full", "read-only"])
def test_a_full_or_read_only_disk_loses_nothing_and_is_over_when_it_is_over(tmp_path: Path, setting: str) -> None:
    with closing(SqliteStore(tmp_path / "log.db", learn_every=1)) as store:
        store.append(EVENTS[:40], fold)
        before = store.load()
        with failing(store, setting), pytest.raises(StoreUnavailable):
            store.append(EVENTS[40:], fold)
        assert store.load() == before
        assert store.append(EVENTS, fold).accepted == tuple(EVENTS[40:])
        assert store.load()[0] == fold(EVENTS).climbed(0.0)


@pytest.mark.parametrize("error", [StoreUnavailable("full"), StoreCorrupt("damaged")])
def test_a_state_that_cannot_be_brought_up_to_date_does_not_fail_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: StoreError
) -> None:
    def full(*_args: object) -> None:
        raise error

    with closing(SqliteStore(tmp_path / "log.db", learn_every=5)) as store:
        with monkeypatch.context() as patch:
            patch.setattr(state_rows, "learn", full)
            assert len(store.append(EVENTS[:20], fold).accepted) == 20
        assert "the next commit will try again" in caplog.text
        store.append(EVENTS[20:], fold)
        assert store.load()[0] == fold(EVENTS).climbed(0.0)


def test_input_and_output_errors_lose_nothing(tmp_path: Path) -> None:
    """A process that may not make its files larger, as on a disk that has no more room."""
    program = """
import resource, sys
from support.happenings import outcome
from tiercel.adapters.sqlite_store import SqliteStore, database, state_rows
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreUnavailable
store = SqliteStore(sys.argv[1])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
kept = failed = 0
for number in range(2_000):
    try:
        kept += len(store.append([outcome(number)], fold).accepted)
    except StoreUnavailable:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert failed > 100, failed
for number in range(2_000):
    kept += len(store.append([outcome(number)], fold).accepted)
print(kept, *store.load()[1])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "log.db")]
    done = subprocess.run(command, capture_output=True, text=True, env=CHILD_ENVIRONMENT, check=False, timeout=60)
    assert (done.stderr, done.stdout) == ("", "2000 2000\n")


def test_a_file_that_stays_locked_is_unavailable_and_then_available(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(SqliteStore(path, busy_timeout_s=0.05)) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
            store.append([outcome(1)], fold)
        assert store.load()[1] == (0,)
        other.execute("ROLLBACK")
        assert store.append([outcome(1)], fold).accepted


def test_a_place_where_no_file_can_be_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"missing: No such file or directory"):
        SqliteStore(tmp_path / "missing" / "log.db")
    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN"):
        SqliteStore(tmp_path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.db")
    store.close()
    for call in (store.load, lambda: store.append([outcome(1)], fold)):
        with pytest.raises(StoreUnavailable, match="was closed"):
            call()


def test_a_store_is_not_used_across_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(tmp_path / "log.db")) as store:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError, match="in each process"):
            store.load()
