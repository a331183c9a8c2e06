"""Whoever takes over from a master that died, or gets some of its slots, gets what waits; decisions go on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from benchmarks.redis_server import RedisServer
from redis.crc import key_slot

from support.redis_cluster import redis_cluster, watched
from support.reported import Reported
from support.shared import router_on
from support.traffic import traffic
from support.waiting import until
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.redis_store.keys import divided, home_of
from tiercel.domain.events import Feedback
from tiercel.domain.request import stage_segment
from tiercel.library.router import Router
from tiercel.ports import START

PARTITIONS = 16
BUSY = divided("tiercel", PARTITIONS)[home_of(stage_segment("review", "analysis"), PARTITIONS)].log.name
"""A key of the partition that the traffic goes to."""


def rated(url: str) -> set[int]:
    """The numbers of the calls whose ratings are in the store."""
    with closing(RedisStore(url)) as store:
        events, _ = store.events_after(START, 1_000_000)
    return {int(event.id.rpartition("/")[2]) for event in events if isinstance(event, Feedback)}


class Place(NamedTuple):
    """A master, where the store finds it, and whether another was promoted in its place."""

    url: str
    master: RedisServer
    promoted: Callable[[], bool]


@contextmanager
def on_a_cluster(folder: Path) -> Iterator[Place]:
    with redis_cluster(folder, replicas=1) as cluster:
        master = cluster.master_of(BUSY)
        (replica,) = cluster.replicas[cluster.masters.index(master)]
        yield Place(cluster.url, master, lambda: replica.client.info("replication")["role"] == "master")


@contextmanager
def with_sentinels(folder: Path) -> Iterator[Place]:
    with watched(folder) as servers:
        yield Place(servers.url, servers.master, servers.promoted)


PLACES = {"Cluster": on_a_cluster, "Sentinel": with_sentinels}


def drained(router: Router) -> bool:
    status = router.learner.status()
    return not status.degraded and status.buffered < 50


@pytest.mark.parametrize(("place", "how"), [("Cluster", "killed"), ("Cluster", "frozen"), ("Sentinel", "killed")])
def test_who_is_promoted_gets_what_waits(tmp_path: Path, reported: Reported, place: str, how: str) -> None:
    what = f"{place}, master {how}"
    with PLACES[place](tmp_path) as (url, master, promoted), router_on(url) as router:
        with traffic(router) as calls:
            calls.more(100)
            died_s = time.monotonic()
            before = len(calls.took_s)
            master.kill() if how == "killed" else master.freeze()
            until(promoted)
            promoted_s = time.monotonic()
            until(lambda: drained(router))
            back_s = time.monotonic() - promoted_s
            calls.more(100)
        router.learner.flush(10.0)
        found = rated(url)
        lost = set(range(1, len(calls.took_s) + 1)) - found
        reported.none("refusals", f"{what}: decisions failed", of=len(calls.took_s), bad=len(calls.failures))
        after = [number for number in lost if number > before]
        reported.none("refusals", f"{what}: ratings from then on lost", of=len(calls.took_s) - before, bad=len(after))
        reported.told("refusals", f"{what}: promoted after", f"{promoted_s - died_s:.2f} s")
        reported.most("refusals", f"{what}: back after promotion", back_s, 2.0, unit="s", fails_at=10.0)
        unreplicated = f"{len(lost) - len(after)} of {before}"
        reported.told("refusals", f"{what}: acknowledged, not replicated yet, and lost", unreplicated)
        assert router.learner.status().dropped == 0


def test_a_slot_moves_under_load(tmp_path: Path, reported: Reported) -> None:
    with redis_cluster(tmp_path) as cluster, router_on(cluster.url) as router:
        other = next(server for server in cluster.masters if server is not cluster.master_of(BUSY))
        with traffic(router) as calls:
            calls.more(100)
            cluster.slot_moves(key_slot(BUSY.encode()), to=other, halfway=lambda: calls.more(100))
            moved_s = time.monotonic()
            until(lambda: drained(router))
            back_s = time.monotonic() - moved_s
            calls.more(100)
        router.learner.flush(10.0)
        lost = set(range(1, len(calls.took_s) + 1)) - rated(cluster.url)
        reported.none("refusals", "slot moved: decisions failed", of=len(calls.took_s), bad=len(calls.failures))
        reported.none("refusals", "slot moved: ratings lost", of=len(calls.took_s), bad=len(lost))
        reported.most("refusals", "slot moved: back after", back_s, 2.0, unit="s", fails_at=10.0)
        assert other.client.exists(BUSY)
