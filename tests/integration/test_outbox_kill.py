"""kill -9 while the shared store is away, comes or goes: what was acknowledged gets there, once, with the next start.

Children share a server and an outbox's path. Each leaves a decision and sends a rating of it, again and again, and says
on a pipe which ratings were acknowledged. The parent stops and starts the server under them and kills them at random
moments; whoever is started next finds what they left behind.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.redis_server import RedisServer, redis_server

from support.child import CHILD_ENVIRONMENT
from support.happenings import decision, feedback, outcome
from support.reported import Reported
from support.told import tell
from support.waiting import until
from tiercel.adapters.clock import SystemClock
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.sqlite_store import SqliteOutbox
from tiercel.adapters.sqlite_store.outbox import outbox_files
from tiercel.core.statistics.fold import OVERALL
from tiercel.domain.decision import Decision
from tiercel.domain.events import Feedback
from tiercel.ports import START
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner

SEED = 20_261_122
TOGETHER = 5
HAPPENING = ("away", "goes", "comes", "there")

WRITER = """
import sys
from dataclasses import replace
from itertools import count
from support.happenings import decision, feedback
from tiercel.adapters.clock import SystemClock
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.sqlite_store import SqliteOutbox
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner

url, path, name = sys.argv[1:]
settings = CommitSettings(linger_s=0.001, first_retry_s=0.005, last_retry_s=0.02, max_batch=40)
learner = Learner(RedisStore(url), clock=SystemClock(), outbox=SqliteOutbox(path), settings=settings)
for number in count():
    rated = f"{name}/{number}"
    learner.leave(replace(decision(number), id=rated))
    receipt = learner.record(feedback(rated, 0.5, seconds=number, decision_id=rated, source="user:1"))
    sys.stdout.write(f"{rated} {int(receipt.kept)}\\n")
    sys.stdout.flush()
"""


class Child:
    """A process that writes until it is killed; what it was told is read beside it."""

    def __init__(self, url: str, path: Path, name: str) -> None:
        self.acknowledged: list[str] = []
        self.kept = 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WRITER, url, str(path), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=CHILD_ENVIRONMENT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        """In the middle of whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                if line.endswith("\n"):
                    rated, kept = line.split()
                    self.acknowledged.append(rated)
                    self.kept += int(kept)


def live(server: RedisServer, path: Path, draw: random.Random, turn: int) -> list[Child]:
    """One generation: the server is away, goes, comes or is there, and each of them is killed at some moment."""
    happens = HAPPENING[turn % len(HAPPENING)]
    server.stop()
    if happens in ("goes", "there"):
        server.start()
    children = [Child(server.url, path, f"{turn}.{number}") for number in range(TOGETHER)]
    with ExitStack() as stack:
        for child in children:
            stack.callback(child.kill)
        until(lambda: all(len(child.acknowledged) > 3 for child in children))
        if happens == "goes":
            server.stop()
        if happens == "comes":
            server.start()
        for child in draw.sample(children, TOGETHER):
            more = len(child.acknowledged) + draw.randrange(1, 20)
            until(lambda more=more, child=child: len(child.acknowledged) >= more)  # type: ignore[misc]
            child.kill()
    return children


def test_what_was_acknowledged_while_the_store_was_away_outlives_any_kill(tmp_path: Path, reported: Reported) -> None:
    draw, generations = random.Random(SEED), reported.size(10, 60)
    path = tmp_path / "outbox.db"
    children: list[Child] = []
    with redis_server(tmp_path, durable=True) as server:
        for turn in range(generations):
            children += live(server, path, draw, turn)
        left_behind = len(outbox_files(path))
        server.stop()
        server.start()
        with closing(RedisStore(server.url)) as store:
            heir = Learner(store, clock=SystemClock(), outbox=SqliteOutbox(path))
            heir.start()
            heir.flush(30.0)
            heir.close()
            logged = list(store.events_after(START, 1_000_000)[0])
            state = store.load()[0]
    acknowledged = [rated for child in children for rated in child.acknowledged]
    entries = Counter((type(event), event.id) for event in logged)
    rated = [event.id for event in logged if isinstance(event, Feedback)]
    lost = set(acknowledged) - set(rated)
    twice = [entry for entry, times in entries.items() if times > 1]
    first = {entry: place for place, entry in reversed(list(enumerate((type(e), e.id) for e in logged)))}
    early = [name for name in rated if first.get((Decision, name), -1) > first[Feedback, name]]
    counted = sum(sums.ratings for (key, _), sums in state.sums.items() if key == OVERALL)
    kept = sum(child.kept for child in children)
    tell(f"{len(children)} kills, {len(acknowledged)} acknowledged, {kept} of them kept, {left_behind} files left")
    reported.none("stopped", "acknowledged and lost by kill -9", bad=len(lost), of=len(acknowledged), seeds=SEED)
    assert (twice, early, counted) == ([], [], len(rated))
    assert kept > 0
    assert outbox_files(path) == []


def test_a_process_that_starts_while_the_store_is_away_learns_when_it_is_back(tmp_path: Path) -> None:
    prompt = CommitSettings(first_retry_s=0.01, last_retry_s=0.02, idle_s=0.05)
    with redis_server(tmp_path, durable=True) as server:
        with closing(RedisStore(server.url)) as store:
            before = Learner(store, clock=SystemClock())
            before.record(outcome(1))
            before.close()
        server.stop()
        with closing(RedisStore(server.url)) as store:
            begun = Learner(store, clock=SystemClock(), settings=prompt, outbox=SqliteOutbox(tmp_path / "outbox.db"))
            begun.start()
            assert begun.degraded
            assert begun.knowledge.sums(OVERALL).requests == 0
            assert begun.record(decision(2), outcome(2), feedback("f2", decision_id="dec_2")).kept
            server.start()
            until(lambda: not begun.degraded)
            assert begun.knowledge.sums(OVERALL).requests == 2
            begun.close()
