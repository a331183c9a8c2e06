"""The outbox in files: what was added survives, each process has its own, and nothing stands in a start's way."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from support.child import CHILD_ENVIRONMENT
from support.happenings import alert, decision, feedback, outcome, standing
from tiercel import bootstrap
from tiercel.adapters.sqlite_store import SqliteOutbox, SqliteStore
from tiercel.adapters.sqlite_store.database import Database
from tiercel.adapters.sqlite_store.outbox import outbox_files, waiting_in
from tiercel.config.settings import StoreSettings
from tiercel.domain.errors import InvalidInput, StoreError, StoreUnavailable
from tiercel.domain.events import Event

EVENTS: Sequence[Event] = (
    decision(1),
    outcome(1),
    feedback("é", metadata={"a": [1, {"b": None}]}),
    standing(1),
    alert(1),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def emptied(outbox: SqliteOutbox, at_a_time: int = 100) -> Iterator[Event]:
    while True:
        events, mark = outbox.next(at_a_time)
        yield from events
        if not mark:
            return
        outbox.delivered(mark)


def test_what_was_added_comes_out_in_order_and_leaves_nothing_behind(path: Path) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        assert (outbox.waiting, outbox.next(1)) == (0, ((), 0))
        assert not path.exists(), "there is no file while there is nothing to keep"
        outbox.add(EVENTS[:3])
        outbox.add(EVENTS[3:])
        assert outbox.next(2) == outbox.next(2), "what is not said to be delivered comes again"
        assert outbox.waiting == len(EVENTS) == waiting_in(path)
        assert tuple(emptied(outbox, 2)) == EVENTS
        assert outbox.waiting == 0
    assert list(path.parent.iterdir()) == []


def test_what_waits_of_a_decision_is_found_in_whichever_file(path: Path) -> None:
    first = SqliteOutbox(path)
    first.add(EVENTS[:1])
    for file in first._files:
        file.abandon()
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add([outcome(2), EVENTS[1]])
        assert outbox.about("dec_1") == list(EVENTS[:2])
        tuple(emptied(outbox))
        assert outbox.about("dec_1") == []


def test_what_a_process_leaves_behind_is_taken_over_by_the_next_and_comes_first(path: Path) -> None:
    for event in EVENTS[:3]:  # three that died: the files of the first two are not the next's own
        outbox = SqliteOutbox(path)
        outbox.add([event])
        holder = SqliteOutbox(path)
        holder.close()
        for file in outbox._files:
            file.abandon()
    with closing(SqliteOutbox(path)) as outbox:
        assert outbox.waiting == 3
        outbox.add(EVENTS[3:])
        assert tuple(emptied(outbox)) == EVENTS
    assert list(path.parent.iterdir()) == []


def test_what_a_process_left_behind_that_ended_meanwhile_is_taken_over_after_ones_own(path: Path) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add(EVENTS[:2])
        with closing(SqliteOutbox(path)) as brief:
            brief.add(EVENTS[2:4])
        assert outbox.waiting == 2
        assert tuple(emptied(outbox, 1)) == EVENTS[:4]
        outbox.add(EVENTS[4:])
        assert tuple(emptied(outbox)) == EVENTS[4:]
    assert list(path.parent.iterdir()) == []


def test_each_process_has_a_file_of_its_own_and_those_of_the_dead_go_to_one(path: Path) -> None:
    opened = [SqliteOutbox(path) for _ in range(3)]
    for outbox, event in zip(opened, EVENTS, strict=False):
        outbox.add([event])
    assert [file.name for file in outbox_files(path)] == ["outbox.db", "outbox-2.db", "outbox-3.db"]
    with closing(SqliteOutbox(path)) as late:
        assert late.waiting == 0, "all of them live"
    for outbox in opened[1:]:
        for file in outbox._files:
            file.abandon()
    with closing(SqliteOutbox(path)) as heir, closing(SqliteOutbox(path)) as late:
        assert (heir.waiting, late.waiting) == (2, 0)
        assert tuple(emptied(heir)) == tuple(EVENTS[1:3])
        assert outbox_files(path) == [path, path.with_name("outbox-3.db")], "the one it writes to stays"
    assert tuple(emptied(opened[0])) == tuple(EVENTS[:1])
    opened[0].close()
    assert list(path.parent.iterdir()) == []


KEPT = """
import os, sys
from support.happenings import feedback
from tiercel.adapters.sqlite_store import SqliteOutbox

outbox = SqliteOutbox(sys.argv[1])
for number in range(3):
    outbox.add([feedback(f"{sys.argv[2]}/{number}")])
sys.stdout.write("kept\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_two_processes_with_one_path_keep_apart_and_a_kill_frees_what_they_kept(path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", KEPT, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=CHILD_ENVIRONMENT,
        )
        for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "kept\n"
    assert len(outbox_files(path)) == 2
    for child in children:
        child.kill()
        child.communicate()
    with closing(SqliteOutbox(path)) as heir:
        kept = [event.id for event in emptied(heir)]
    assert sorted(kept) == [f"{name}/{number}" for name in ("one", "two") for number in range(3)]


def test_a_damaged_file_is_put_aside_and_the_rest_delivered(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(SqliteOutbox(path)) as first, closing(SqliteOutbox(path)) as second:
        first.add(EVENTS[:1])
        second.add(EVENTS[1:])
    path.write_bytes(b"garbage" * 1000)
    with closing(SqliteOutbox(path)) as heir:
        assert tuple(emptied(heir)) == EVENTS[1:]
    assert [file.name.rpartition("-")[0] for file in path.parent.iterdir()] == ["outbox.db.corrupt"]
    assert "was put aside" in caplog.text


def test_an_event_that_is_not_what_was_written_takes_no_other_with_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add(EVENTS)
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE waiting SET body = replace(body, 'small', 'large') WHERE position = 2")
            db.commit()
        assert tuple(emptied(outbox, 1)) == (EVENTS[0], *EVENTS[2:])
    assert "an event is lost" in caplog.text


def test_another_programs_file_is_left_alone_and_stops_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    SqliteStore(path).close()
    with closing(SqliteOutbox(path)) as outbox:
        assert "another program's database" in caplog.text
        outbox.add(EVENTS)
        assert outbox_files(path) == [path, path.with_name("outbox-2.db")]
        assert tuple(emptied(outbox)) == EVENTS
    with closing(SqliteStore(path)) as store:
        assert store.recent_alerts(1) == []


def test_what_waits_for_a_store_at_another_address_is_said_and_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(bootstrap.open_store("redis://old.invalid:6379/0")) as old:
        before = bootstrap.build_outbox(old, StoreSettings())
        assert before is not None
        with closing(before):
            before.add(EVENTS)
        (kept,) = tmp_path.glob("*.db")
        again = bootstrap.build_outbox(old, StoreSettings())
        assert again is not None
        again.close()
    assert "another address" not in caplog.text
    with closing(bootstrap.open_store("redis://new.invalid:6379/0")) as new:
        here = bootstrap.build_outbox(new, StoreSettings())
        assert here is not None
        assert (here.waiting, f"{kept.name} holds what a store at another address" in caplog.text) == (0, True)
        named = bootstrap.build_outbox(new, StoreSettings(outbox=kept.name))
        assert named is not None
        with closing(named):
            assert named.waiting == len(EVENTS)


def test_a_folder_that_is_not_there_is_said_when_something_is_to_be_kept(tmp_path: Path) -> None:
    with (
        closing(SqliteOutbox(tmp_path / "none" / "outbox.db")) as outbox,
        pytest.raises(StoreUnavailable, match="none"),
    ):
        outbox.add(EVENTS)


def test_a_disk_that_is_full_keeps_what_it_has_and_takes_more_when_there_is_room(path: Path) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add(EVENTS[:1])
        database = outbox._files[0]._database
        assert database._writer is not None
        database._writer.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreError):
            outbox.add(EVENTS[1:])
        outbox.add(EVENTS[1:])  # on a connection that can write again
        writer = database._writer
        assert writer is not None
        writer.execute("PRAGMA query_only = 1")
        events, mark = outbox.next(2)
        outbox.delivered(mark)  # cannot be removed: it is not given again all the same
        assert tuple(events) == EVENTS[:2]
        assert tuple(emptied(outbox)) == EVENTS[2:]


def test_a_process_that_may_open_no_more_files_tries_again_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> Database:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with closing(SqliteOutbox(path)) as outbox:
        with monkeypatch.context() as patched:
            patched.setattr("tiercel.adapters.sqlite_store.outbox_file.open_sound", opened)
            with pytest.raises(StoreUnavailable, match="open files"):
                outbox.add(EVENTS)
        outbox.add(EVENTS)
        assert tuple(emptied(outbox)) == EVENTS


def test_what_cannot_be_written_down_is_refused_whole(path: Path) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        with pytest.raises(InvalidInput):
            outbox.add([EVENTS[0], feedback("f", metadata={"x": object()})])
        assert (outbox.waiting, tuple(emptied(outbox))) == (0, ())


def test_what_somebody_else_removed_waits_no_longer(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add(EVENTS)
        with closing(sqlite3.connect(path)) as db:
            db.execute("DELETE FROM waiting")
            db.commit()
        assert (*outbox.next(9), outbox.waiting) == ((), 0, 0)
        assert "5 events are lost" in caplog.text
        outbox.add(EVENTS)
        assert tuple(emptied(outbox)) == EVENTS


@pytest.mark.skipif(os.name == "nt", reason="there is no fork")
def test_a_fork_that_ends_takes_nothing_from_the_process_it_came_from(path: Path) -> None:
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add(EVENTS[:1])
        tuple(emptied(outbox))
        child = os.fork()
        if child == 0:
            outbox.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        outbox.add(EVENTS[1:])
        assert waiting_in(path) == len(EVENTS) - 1


@pytest.mark.skipif(os.name == "nt", reason="there nothing is locked")
def test_a_lock_whose_file_was_removed_meanwhile_is_none(path: Path) -> None:
    first = SqliteOutbox(path)
    first.add(EVENTS)
    path.with_name("outbox.db-lock").unlink()
    tuple(emptied(first))
    first.close()
    assert list(path.parent.iterdir()) == []


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
