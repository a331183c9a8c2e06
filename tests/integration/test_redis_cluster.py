"""What is particular to a store that is divided among the masters of a Cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from benchmarks.redis_server import redis_server
from redis.cluster import RedisCluster as Client
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ConnectionError as NoConnection

from support.happenings import SEGMENTS, at, decision, feedback, outcome, standing
from support.redis_cluster import RedisCluster, redis_cluster
from support.servers import free_port
from support.together import all_write
from tiercel.adapters.parquet_log import read_events, writing
from tiercel.adapters.redis_store import RedisStore, claims
from tiercel.adapters.redis_store.keys import divided, home, home_of
from tiercel.adapters.redis_store.nodes import Command
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import PositionLost, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import START
from tiercel.services.export import export_log

DAY_S = 86_400
NAMES = count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def url(cluster: RedisCluster) -> str:
    return f"{cluster.url}?name={next(NAMES)}"


@pytest.mark.parametrize("partitions", [1, 3, 16, 256])
def test_the_partitions_lie_evenly_in_the_range_of_slots(partitions: int) -> None:
    tags = divided("a:b {c}", partitions)
    slots = [key_slot(keys.log.name.encode()) for keys in tags]
    assert [slot * partitions // REDIS_CLUSTER_HASH_SLOTS for slot in slots] == list(range(partitions))
    assert slots == [key_slot(keys.about("dec_{x}").name.encode()) for keys in tags]


def test_where_things_are_is_written_down_and_may_never_change() -> None:
    assert divided("tiercel", 16)[13].log.name == "tiercel:{tiercel:13/16:10}:log"
    assert [home_of(segment, 16) for segment in SEGMENTS] == [7, 15, 4, 12, 10, 2, 15]
    names = [key.name for key in divided("tiercel", 16)[0].claimed("feedback_1")]
    assert names == ["tiercel:{tiercel:2/16:2}:claims", "tiercel:{tiercel:10/16:21}:claims"]
    assert home(standing(1, segment=SEGMENTS[0]), 16) == home(decision(1, segment=SEGMENTS[0]), 16)


def test_ratings_are_visible_in_the_form_of_a_single_server(cluster: RedisCluster, url: str) -> None:
    client: Any = Client(host="127.0.0.1", port=cluster.masters[0].port, protocol=2)
    with closing(RedisStore(url)) as store, closing(client):
        given = feedback("f1", 0.25, decision_id="dec_1", source="user:1", metadata={"a": 1})
        store.append([given], fold)
        key, other = (f"feedback:review:analysis:cheap:{name}" for name in ("f1", "f2"))
        assert json.loads(client.get(key)) == {
            "quality_score": 0.25,
            "timestamp": given.recorded_at.isoformat(),
            "metadata": {"a": 1},
        }
        assert 604_700 < client.ttl(key) <= 604_800
        store.append([feedback("f2", 0.5, seconds=9, decision_id="dec_1", source="user:1")], fold)
        assert (client.exists(key), client.exists(other)) == (0, 1)
        store.clear_feedback("review", None, fold)
        assert client.exists(other) == 0


def test_nothing_of_a_rating_stays_behind(cluster: RedisCluster, url: str) -> None:
    batch: list[Event] = [
        event
        for number in range(40)
        for event in (
            decision(number, segment=SEGMENTS[number % 7]),
            feedback(f"f{number}", segment=SEGMENTS[number % 7], decision_id=f"dec_{number}"),
        )
    ]
    for server in cluster.masters:
        server.client.flushall()
    with closing(RedisStore(url)) as store:
        assert len(store.append(batch, fold).accepted) == 80
        assert store.trim(at(DAY_S)) == 80
    left = {key.decode().rpartition("}:")[2] for server in cluster.masters for key in server.client.keys("*")}
    assert left == {"progress", "log", "state:learned", "state:trimmed"}


def test_an_id_that_was_claimed_and_never_logged_binds_nobody(url: str) -> None:
    here, there = (feedback("f1", segment=segment) for segment in SEGMENTS[:2])
    with closing(RedisStore(url)) as store:
        claims.divide(store._server, store._partitions, [here])
        assert store.append([there], fold).accepted == (there,)
        appended = store.append([here], fold)
        assert (appended.accepted, appended.conflicts) == ((), ("f1",))


def test_a_batch_is_logged_where_it_can_be_and_the_rest_when_it_is_sent_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [outcome(number, segment=segment) for number, segment in enumerate(SEGMENTS)]
    with closing(RedisStore(url)) as store:
        store.append([outcome(99)], fold)  # and the script is known
        run = store._server._nodes.run

        def broken(commands: Sequence[Command]) -> list[object]:
            if commands[0][0] == "EVALSHA":
                run(commands[:3])
                raise NoConnection
            return run(commands)

        with monkeypatch.context() as patched:
            patched.setattr(store._server._nodes, "run", broken)
            with pytest.raises(StoreUnavailable):
                store.append(batch, fold)
        _, position = store.load()
        again = store.append(batch, fold)
        assert 0 < len(again.accepted) < len(batch)
        expected = fold([*batch, outcome(99)]).climbed(0.0)
        assert store.load() == (expected, again.follow(position))


def test_every_partition_that_has_more_is_read_where_that_is_possible(url: str) -> None:
    with closing(RedisStore(url)) as store:
        store.append([outcome(number, segment=SEGMENTS[number % 7]) for number in range(700)], fold)
        homes = {home_of(segment, 16) for segment in SEGMENTS}
        for limit in (1, 3, 7, 20, 699, 10_000):
            events, position = store.events_after(START, limit)
            assert len(events) == sum(position) == min(limit, 700)
            assert len([place for place in position if place]) == min(limit, len(homes))


def test_a_position_of_a_store_that_is_divided_otherwise_is_lost(cluster: RedisCluster, url: str) -> None:
    with closing(RedisStore(url)) as store, closing(RedisStore(f"{url}&partitions=4")) as other:
        store.append([outcome(1)], fold)
        with pytest.raises(PositionLost):
            other.events_after(store.load()[1], 10)
        assert other.load()[1] == (0, 0, 0, 0)


def test_a_divided_log_is_exported_as_any_other(tmp_path: Path, url: str) -> None:
    first, second = (
        [outcome(number, segment=SEGMENTS[number % 7], seconds=number) for number in numbers]
        for numbers in (range(50), range(50, 80))
    )
    with closing(RedisStore(url)) as store:
        for batch in (first, second):
            store.append(batch, fold)
            with writing(tmp_path) as archive:
                assert export_log(store, archive).events == len(batch)
        with writing(tmp_path) as archive:
            assert export_log(store, archive).events == 0
    assert sorted(read_events(tmp_path), key=lambda event: event.id) == sorted(
        [*first, *second], key=lambda event: event.id
    )


def test_eight_processes_write_to_one_cluster(url: str) -> None:
    all_write(url, batches=20)


def test_who_is_no_cluster_or_is_away_is_named(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path) as server,
        closing(RedisStore(f"redis+cluster://127.0.0.1:{server.port}")) as store,
        pytest.raises(StoreUnavailable, match=rf"redis\+cluster://127.0.0.1:{server.port}: .*luster"),
    ):
        store.append([outcome(1)], fold)
    with closing(RedisStore(f"redis+cluster://:CANARY@127.0.0.1:{free_port()}")) as store:
        with pytest.raises(StoreUnavailable) as raised:
            store.load()
        assert "CANARY" not in str(raised.value)
