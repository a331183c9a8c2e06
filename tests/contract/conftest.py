"""Every store there is, over real servers: each contract of stores runs over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from benchmarks.redis_server import redis_server

from support.redis_cluster import redis_cluster
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.ports import Store

NAMES = count()
STORES: dict[str, Callable[[Path, str], Store]] = {
    "memory": lambda _folder, _url: MemoryStore(),
    "sqlite": lambda folder, _url: SqliteStore(folder / "log.db"),
    "sqlite, learning at every event": lambda folder, _url: SqliteStore(folder / "log.db", learn_every=1),
    "redis": lambda _folder, url: RedisStore(f"{url}?name={next(NAMES)}"),
    "redis, learning at every event": lambda _folder, url: RedisStore(f"{url}?name={next(NAMES)}", learn_every=1),
    "cluster": lambda _folder, url: RedisStore(f"{url}?name={next(NAMES)}"),
    "cluster, learning at every event": lambda _folder, url: RedisStore(
        f"{url}?name={next(NAMES)}&partitions=5", learn_every=1
    ),
}


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, cluster_url: str) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path, cluster_url if "cluster" in request.param else redis_url)
    yield opened
    opened.close()
