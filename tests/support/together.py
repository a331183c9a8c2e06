"""Processes that write to one store at the same time."""

from __future__ import annotations

import subprocess
import sys

from support.child import CHILD_ENVIRONMENT
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import OVERALL, fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.ports import START, Store

PROCESSES = 8
BATCHES = 40
SHARED = 20
"""Every fourth batch is one that all processes send."""

WRITER = """
import sys
from support.happenings import at, feedback, outcome
from support.together import opened
from tiercel.core.statistics.fold import fold

me, where, batches, shared = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
sys.stdin.readline()
store = opened(where)
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
"""Writes to the store at its second argument."""


def opened(where: str) -> Store:
    """The store at a path or a server's URL, whose state is brought up to date often."""
    return RedisStore(where, learn_every=50) if "://" in where else SqliteStore(where, learn_every=50)


def run_together(program: str, *arguments: str) -> list[str]:
    """What each of several processes says that run `program` at the same time; none of them may complain."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"p{number}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=CHILD_ENVIRONMENT,
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


def all_write(where: str, *, batches: int = BATCHES) -> int:
    """Every event that several processes write to one store counts once, and all of them know the same in the end.

    How many events that were.
    """
    answers = run_together(WRITER, where, str(batches), str(SHARED))
    accepted = sum(map(int, answers))

    own, common = batches - batches // 4, batches // 4
    plain = 3 * (own * PROCESSES + common)
    revised = batches * PROCESSES
    assert accepted == plain + revised + batches
    store = opened(where)
    state, position = store.load()
    assert sum(position) == accepted
    overall = [sums for (key, _), sums in state.sums.items() if key == OVERALL]
    assert sum(sums.requests for sums in overall) == batches
    assert sum(sums.ratings for sums in overall) == plain + SHARED * PROCESSES

    follower = Knowledge()
    found, _ = store.events_after(START, accepted)
    follower.add(fold(found))
    assert follower.export().climbed(0.0) == fold(found).climbed(0.0)
    store.rebuild(fold)
    assert store.load()[0] == state
    store.close()
    return accepted
