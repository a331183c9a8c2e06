"""The constants of model.py, measured with one process at a time and nobody else at the servers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from typing import NamedTuple

from benchmarks.scale.masters import Masters, Spent
from benchmarks.scale.model import Constants, Line, Poll, Way, touched
from benchmarks.scale.script import Call, Script, models

from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Event
from tiercel.testing import EPOCH

SEED = 1
FEW, MANY = 2, 50
SEGMENTS = 40
OF_A_KIND = 1_500
ONES, BATCHES, TOGETHER, POLLS = 300, 20, 64, 300
STATE_CALLS, STATE_BATCH = 450, 300
REST_S = 2.0
ROUNDS = 3
_numbers = count()


def calls(script: Script, number: int, *, segments: int = SEGMENTS) -> list[Call]:
    """So many, under ids that were not used before."""
    return [script.call(0, next(_numbers), EPOCH, segments=segments) for _ in range(number)]


def events(script: Script, number: int) -> list[Event]:
    """Those of so many calls."""
    return [event for call in calls(script, number) for event in call]


def kinds(servers: Masters, script: Script, name: str) -> list[float]:
    """Bytes that the servers hold for a decision, its outcome and its rating."""
    store = RedisStore(f"{servers.url}?name={name}")
    found: list[float] = []
    given = calls(script, OF_A_KIND)
    for kind in range(3):
        before = servers.spent()
        for start in range(0, OF_A_KIND, TOGETHER):
            store.append([call[kind] for call in given[start : start + TOGETHER]], fold)
        found.append(servers.spent().since(before, OF_A_KIND).held)
    store.close()
    servers.clear()
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """What one of several equal acts took: of the servers, of this process's CPU, and in time."""

    spent: Spent
    cpu_s: float
    took_s: float

    def without(self, other: Sample) -> Sample:
        """What it took besides."""
        return Sample(self.spent.since(other.spent), self.cpu_s - other.cpu_s, self.took_s - other.took_s)


def middle(samples: Sequence[Sample]) -> Sample:
    """Each figure's median."""
    spent = Spent(*map(statistics.median, zip(*(one.spent for one in samples), strict=True)))
    return Sample(spent, statistics.median(s.cpu_s for s in samples), statistics.median(s.took_s for s in samples))


def sample(servers: Masters, acts: Sequence[Callable[[], object]], idle: Spent) -> Sample:
    """The mean of the acts, without what idle servers take a second, and the median of how long they took."""
    took: list[float] = []
    before, cpu_s = servers.spent(), time.process_time()
    for act in acts:
        began_s = time.perf_counter()
        act()
        took.append(time.perf_counter() - began_s)
    cpu_s = (time.process_time() - cpu_s) / len(acts)
    spent = servers.spent().since(before, len(acts))
    each_s = sum(took) / len(acts)
    return Sample(
        Spent(*(all_ - each_s * bare for all_, bare in zip(spent, idle, strict=True))), cpu_s, statistics.median(took)
    )


def line(one: float, some: float, wide: float, places: tuple[float, float]) -> Line:
    """From a call, from `TOGETHER`, and from as many of `MANY` candidates instead of `FEW`.

    `places`: how many partitions the call alone concerned, and how many the others did.
    """
    few, many = places
    candidate = max((wide - some) / (TOGETHER * (MANY - FEW)), 0.0)
    each = max((few * some - many * one) / (few * TOGETHER - many), 0.0)
    return Line(max((one - each) / few, 0.0), max(each - FEW * candidate, 0.0), candidate)


def way(samples: Sequence[Sample], places: tuple[float, float]) -> Way:
    """The lines through three samples."""

    def through(figure: Callable[[Sample], float]) -> Line:
        one, some, wide = map(figure, samples)
        return line(one, some, wide, places)

    return Way(
        received=through(lambda s: s.spent.received),
        sent=through(lambda s: s.spent.sent),
        server_cpu_s=through(lambda s: s.spent.cpu_s),
        gateway_cpu_s=through(lambda s: s.cpu_s),
    )


class Reader:
    """A process that follows a log from where it stands."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url)
        _, self.position = self.store.load()
        self.knowledge = Knowledge()

    def read(self, limit: int) -> int:
        """Read and learn up to so many events; how many."""
        events, self.position = self.store.events_after(self.position, limit)
        self.knowledge.add(fold(events))
        return len(events)


def resting(servers: Masters) -> Spent:
    """What the servers take a second with nobody there."""
    before = servers.spent()
    time.sleep(REST_S)
    return servers.spent().since(before, REST_S)


def ways(servers: Masters, few: Script, many: Script, idle: Spent) -> tuple[Way, Way, Poll, float]:
    """Committing, reading, looking, and how long the commit of one call takes."""
    url = f"{servers.url}?name=ways"
    store, knowledge = RedisStore(url), Knowledge()
    store.append([event for call in calls(few, TOGETHER) for event in call], fold)
    reader = Reader(url)
    acts: dict[str, list[Sample]] = {}
    kinds_ = (few, ONES, 1), (few, BATCHES, TOGETHER), (many, BATCHES, TOGETHER)
    for _ in range(ROUNDS):
        for kind, (script, batches, together) in enumerate(kinds_):
            given = [events(script, together) for _ in range(batches)]
            commit = [partial(_commit, store, knowledge, batch) for batch in given]
            acts.setdefault(f"commit {kind}", []).append(sample(servers, commit, idle))
            reading = [partial(reader.read, 3 * together)] * batches
            acts.setdefault(f"read {kind}", []).append(sample(servers, reading, idle))
            while reader.read(1_000):
                pass
        acts.setdefault("poll", []).append(sample(servers, [partial(reader.read, 1_000)] * POLLS, idle))
    reader.store.close()
    store.close()
    servers.clear()
    found = {name: middle(samples) for name, samples in acts.items()}
    looks = found["poll"]
    commits = [found[f"commit {kind}"] for kind in range(3)]
    # reading begins with a look at the ends
    reads = [found[f"read {kind}"].without(looks) for kind in range(3)]
    # events of one call lie in one partition, three events of all that wait in three
    into, out = (1.0, touched(16, SEGMENTS, TOGETHER)), (3.0, 16.0)
    poll = Poll(looks.spent.received, looks.spent.sent, looks.spent.cpu_s, looks.cpu_s, looks.took_s)
    return way(commits, into), way(reads, out), poll, commits[0].took_s


def _commit(store: RedisStore, knowledge: Knowledge, batch: list[Event]) -> None:
    knowledge.add(store.append(batch, fold).deltas)


class StateHeld(NamedTuple):
    """The state in the servers: all of it, in how many keys, in how many time buckets, and the bytes of those."""

    held: float
    keys: int
    buckets: int
    of_buckets: float

    @property
    def per_key(self) -> float:
        """Bytes besides the buckets."""
        return (self.held - self.of_buckets) / self.keys

    @property
    def per_bucket(self) -> float:
        """Bytes."""
        return self.of_buckets / self.buckets


def state(servers: Masters, script: Script, *, segments: int, of: int, buckets: int) -> StateHeld:
    """The state after so many calls to each of `of` models in each segment that no newest sample is missing."""
    store = RedisStore(f"{servers.url}?name=state")
    some = models(of)
    for bucket in range(buckets):
        at = EPOCH + timedelta(seconds=300 * bucket)
        for _ in range(segments * of * STATE_CALLS // STATE_BATCH):
            given = [
                script.call(1, number, at, segments=segments, model=some[number % of])[1:]
                for number in islice(_numbers, STATE_BATCH)
            ]
            store.append([event for pair in given for event in pair], fold)
    store.rebuild(fold)
    rows = servers.fields("state", "state:learned")
    held = servers.bytes_of("state", "state:learned")
    each = (held - sum(len(name) + len(body) for name, body in rows.items())) / len(rows)
    of_buckets = [len(name) + len(body) + each for name, body in rows.items() if name.startswith(b"sums:")]
    # a field is PART:WIDTH:START:KEY; totals over segments are in every partition that has any
    keys = {name.split(b":", 3)[3] for name in rows if name.startswith(b"sums:")}
    store.close()
    servers.clear()
    return StateHeld(held, len(keys), len(of_buckets), sum(of_buckets))


def constants(servers: Masters, heavy: Mapping[str, float]) -> Constants:
    """All of them; `heavy` is what a state of some size took."""
    few, many = Script(FEW, SEED), Script(MANY, SEED)
    idle = resting(servers)
    small, outcome, rating = kinds(servers, few, "few")
    large, _, _ = kinds(servers, many, "many")
    commit, read, poll, took_s = ways(servers, few, many, idle)
    held = state(servers, few, segments=2, of=6, buckets=2)
    candidate = (large - small) / (MANY - FEW)
    return Constants(
        decision=small - FEW * candidate,
        candidate=candidate,
        outcome=outcome,
        rating=rating,
        state_key=held.per_key,
        state_bucket=held.per_bucket,
        commit=commit,
        read=read,
        poll=poll,
        commit_took_s=took_s,
        idle_cpu_s=idle.cpu_s,
        state_read_s=heavy["read_cpu_s"] / heavy["bytes"],
        # it was written twice, as what the log taught and as what trimmed events taught
        state_write_cpu_s=heavy["write_server_s"] / heavy["bytes"] / 2,
    )
