"""Several processes write one file at once: every event counts once, and no one hears that the file is locked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from support.happenings import SEGMENTS, at, feedback, outcome
from support.reported import Reported
from support.together import PROCESSES, all_write, run_together
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.domain.events import Event

OPENER = """
import logging, sys
from support.happenings import outcome
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold
logging.disable()
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(sys.argv[2])
store.append([outcome(int(sys.argv[1][1:]))], fold)
store.close()
"""


def test_eight_processes_write_one_file(tmp_path: Path, reported: Reported) -> None:
    path = tmp_path / "shared.db"
    updates = all_write(str(path), batches=reported.size(40, 1_000))
    reported.none("eight-writers", "updates lost, counted twice, or refused as locked", of=updates)
    assert [entry.name for entry in tmp_path.iterdir() if ".corrupt-" in entry.name] == []


def test_eight_processes_open_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    run_together(OPENER, str(tmp_path / "new.db"))


def test_eight_processes_find_the_same_damage(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"no database" * 1_000)
    run_together(OPENER, str(path))
    aside = [entry.name for entry in tmp_path.iterdir() if ".corrupt-" in entry.name]
    assert len(aside) == 1
    with closing(SqliteStore(path)) as store:
        assert store.load()[1] == (PROCESSES,)


def test_a_rebuild_begins_again_when_the_log_was_changed_under_it(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "log.db")) as store, closing(SqliteStore(tmp_path / "log.db")) as other:
        store.append([feedback(f"f{n}", seconds=n, segment=SEGMENTS[n % 2]) for n in range(10)], fold)

        def append_and_clear() -> None:
            other.append([outcome(1, seconds=5)], fold)
            other.clear_feedback("a", "b", fold)

        changes: list[Callable[[], object]] = [append_and_clear, lambda: other.trim(at(2 * 86_400))]

        def fold_while_others_write(events: Sequence[Event]) -> Deltas:
            if changes:
                changes.pop(0)()
            return fold(events)

        store.rebuild(fold_while_others_write)
        ratings = [feedback(f"f{n}", seconds=n, segment=SEGMENTS[n % 2]) for n in range(1, 10, 2)]
        assert store.load()[0] == fold([*ratings, outcome(1, seconds=5)]).climbed(0.0)
        assert changes == []
