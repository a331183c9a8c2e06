"""kill -9 of a writing process at random points: nothing acknowledged is lost, nothing is counted twice.

The child appends batches, learns, compacts and rebuilds in between, and says on a pipe which batches were acknowledged.
The parent kills it after a random number of acknowledgements and a random moment more, and looks at what is in the
file. The next child begins with the batch that was not acknowledged, as a client would that heard no answer.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from support.child import CHILD_ENVIRONMENT
from support.reported import Reported
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import OVERALL, fold

SEED = 20_260_101

WRITER = """
import sys
from pathlib import Path
from support.happenings import at, feedback
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold

path, first = Path(sys.argv[1]), int(sys.argv[2])
store = SqliteStore(path, learn_every=7)
for number in range(first, first + 100_000):
    size = number % 5 + 1
    batch = [
        feedback(f"{number}/{n}", n / 10, seconds=number, decision_id=f"dec_{number}", source=f"user:{n}")
        for n in range(size)
    ]
    store.append(batch, fold)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    if number % 11 == 0:
        store.compact(at(number * 100))
    if number % 13 == 0:
        store.rebuild(fold)
"""


def run_until_killed(path: Path, first: int, after: int, pause_s: float) -> int:
    """Let a child write from batch `first` on and kill it; the last batch that was acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env=CHILD_ENVIRONMENT,
    )
    assert child.stdout is not None
    acknowledged = first - 1
    for _ in range(after):
        acknowledged = int(child.stdout.readline())
    deadline_s = time.perf_counter() + pause_s
    while time.perf_counter() < deadline_s:
        pass
    child.kill()
    for line in child.stdout:
        if line.endswith("\n"):
            acknowledged = int(line)
    child.wait()
    child.stdout.close()
    return acknowledged


def check(path: Path, acknowledged: int) -> int:
    """What is in the file is every acknowledged batch, perhaps one more, each of them once and whole; how many rows."""
    with closing(SqliteStore(path)) as store:
        state, _ = store.load()
        store.rebuild(fold)
        assert store.load()[0] == state
    with closing(sqlite3.connect(path)) as db:
        logged = Counter(int(name.split("/")[0]) for (name,) in db.execute("SELECT id FROM events"))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    expected = {number: number % 5 + 1 for number in range(1, acknowledged + 1)}
    beyond = {acknowledged + 1: (acknowledged + 1) % 5 + 1}
    assert logged in (expected, expected | beyond)
    counted = sum(sums.ratings for (key, _), sums in state.sums.items() if key == OVERALL)
    assert counted == logged.total()
    return logged.total()


def test_kill_9_of_a_writer_loses_and_doubles_nothing(tmp_path: Path, reported: Reported) -> None:
    draw = random.Random(SEED)
    acknowledged = rows = 0
    kills = reported.size(50, 200)
    for kill in range(kills):
        path = tmp_path / f"{kill // 10}.db"
        acknowledged = acknowledged if kill % 10 else 0
        acknowledged = run_until_killed(
            path, acknowledged + 1, after=draw.randrange(1, 60), pause_s=draw.uniform(0.0, 0.002)
        )
        rows += check(path, acknowledged)
    what = "kill points at which an acknowledged rating was lost, counted twice or damaged"
    reported.none("kill-writer", what, of=kills, seeds=SEED)
    reported.none("kill-writer", "ratings looked at after a kill: lost, counted twice, damaged", of=rows, seeds=SEED)


FILLER = """
import os, signal, sys
from support.happenings import feedback
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold

store, rows = SqliteStore(sys.argv[1]), int(sys.argv[2])
for first in range(0, rows, 2_000):
    store.append([feedback(f"{n}", 0.5, seconds=n / 100) for n in range(first, min(first + 2_000, rows))], fold)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_whose_writer_was_killed_is_open_again_at_once(tmp_path: Path, reported: Reported) -> None:
    rows = reported.size(10_000, 1_000_000)
    path = tmp_path / "large.db"
    killed = subprocess.run([sys.executable, "-c", FILLER, str(path), str(rows)], env=CHILD_ENVIRONMENT, check=False)
    assert killed.returncode < 0
    began_s = time.perf_counter()
    with closing(SqliteStore(path)) as store:
        state, position = store.load()
        took_s = time.perf_counter() - began_s
    assert position == (rows,)
    assert sum(sums.ratings for (key, _), sums in state.sums.items() if key == OVERALL) == rows
    reported.most("kill-writer", f"open again and loaded, {rows:,} rows", took_s, 1.0, unit="s")
