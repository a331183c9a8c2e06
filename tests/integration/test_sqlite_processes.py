"""Several processes write one file at once: every event counts once, and no one hears that the file is locked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from support.happenings import SEGMENTS, at, feedback, outcome
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import OVERALL, Deltas, fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Event

PROCESSES = 8
BATCHES = 40
SHARED = 20
"""Every fourth batch is one that all processes send."""

WRITER = """
import sys
from pathlib import Path
from support.happenings import at, feedback, outcome
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold

me, path, batches, shared = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(path, learn_every=50)
accepted = 0
for number in range(batches):
    who = "all" if number % 4 == 0 else me
    batch = [feedback(f"{who}/{number}/{n}", 0.5, seconds=n, source=who) for n in range(3)]
    # every process rates the same decisions anew: the last rating of each source is the one that counts
    about = f"dec_{number % shared}"
    batch.append(feedback(f"{me}/{number}/d", number / batches, seconds=number, decision_id=about, source=me))
    accepted += len(store.append([*batch, outcome(number, seconds=number)], fold).accepted)
    if number % 10 == 9:
        store.compact(at(number))
        store.load()
        store.feedback_history("review", "analysis", None, 10)
store.close()
print(accepted)
"""
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


def run_together(program: str, *arguments: str) -> list[str]:
    """What each of several processes says that run `program` at the same time; none of them may complain."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"p{number}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for number in range(PROCESSES)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=120) for child in children]
    assert [complaint for _, complaint in answers] == [""] * PROCESSES
    return [said for said, _ in answers]


def test_eight_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    answers = run_together(WRITER, str(path), str(BATCHES), str(SHARED))
    accepted = sum(map(int, answers))

    own, common = BATCHES - BATCHES // 4, BATCHES // 4
    plain = 3 * (own * PROCESSES + common)
    revised = BATCHES * PROCESSES
    assert accepted == plain + revised + BATCHES
    store = SqliteStore(path)
    state, position = store.load()
    assert position == accepted
    overall = [sums for (key, _), sums in state.sums.items() if key == OVERALL]
    assert sum(sums.requests for sums in overall) == BATCHES
    assert sum(sums.ratings for sums in overall) == plain + SHARED * PROCESSES

    follower = Knowledge()
    found, _ = store.events_after(0, accepted)
    follower.add(fold(found))
    assert follower.export().climbed(0.0) == fold(found).climbed(0.0)
    store.rebuild(fold)
    assert store.load()[0] == state
    store.close()


def test_eight_processes_open_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    run_together(OPENER, str(tmp_path / "new.db"))


def test_eight_processes_find_the_same_damage(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"no database" * 1_000)
    run_together(OPENER, str(path))
    aside = [entry.name for entry in tmp_path.iterdir() if ".corrupt-" in entry.name]
    assert len(aside) == 1
    with closing(SqliteStore(path)) as store:
        assert store.load()[1] == PROCESSES


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
