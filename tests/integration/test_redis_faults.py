"""The shared store is emptied, full, closed or written to by others: decisions go on, and what is kept is right."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.redis_server import redis_server

from support.happenings import feedback, outcome
from support.reported import Reported
from support.servers import free_port
from support.shared import counted, held, kept, router_on
from support.traffic import traffic
from support.waiting import until
from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreError, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.library.router import Router


def test_a_log_that_took_anothers_place_is_not_followed_from_the_same_position(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server, closing(RedisStore(server.url)) as store:
        store.append([outcome(1), outcome(2)], fold)
        _, position = store.load()
        server.client.flushall()
        with closing(RedisStore(server.url)) as other:
            other.append([outcome(number) for number in range(5)], fold)
        for read_on in (lambda: store.events_after(position, 10), lambda: store.append([outcome(9)], fold)):
            with pytest.raises(StoreError, match="load the state again"):
                read_on()
        assert store.load()[1] == (5,)
        assert store.events_after((5,), 10) == ([], (5,))


def test_who_follows_a_log_puts_nothing_under_it(tmp_path: Path) -> None:
    """A server may lose the end of its log in a crash: what was learned of it is not a log of its own."""
    with redis_server(tmp_path) as server, closing(RedisStore(server.url)) as store:
        store.append([outcome(1)], fold)
        store.load()
        assert not store.restore(fold([outcome(1), outcome(2)]))
        assert store.load()[0] == fold([outcome(1)]).climbed(0.0)


def agreed_s(routers: list[Router], made: int) -> float:
    """How long it takes until all of them know of so many calls and ratings."""
    return until(lambda: all(counted(held(router)) == (made, made) for router in routers))


def test_two_processes_come_to_know_the_same(tmp_path: Path, reported: Reported) -> None:
    runs, longest_s, made = reported.size(2, 50), 0.0, 0
    with redis_server(tmp_path) as server, router_on(server.url) as one, router_on(server.url) as other:
        for run in range(runs):
            with traffic(one, f"user:1/{run}") as ones, traffic(other, f"user:2/{run}") as others:
                ones.more(150)
                others.more(150)
            made += len(ones.took_s) + len(others.took_s)
            longest_s = max(longest_s, agreed_s([one, other], made))
            assert held(one) == held(other) == kept(server)
            assert (ones.failures, others.failures) == ([], [])
    what = f"no fault: two processes agree after the last call, longest of {runs} runs"
    reported.most("partition", what, longest_s, 1.0, unit="s", fails_at=5.0)


def test_a_decision_made_elsewhere_is_rated_here(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server, router_on(server.url) as one, router_on(server.url) as other:
        decision = one.decide("review", "analysis", requires=("general",))
        one.learner.flush(10.0)
        other.record_feedback(decision.id, 0.5, source="user:1")
        record = other.store.decision(decision.id)
        assert record is not None
        assert [rating.quality for rating in record.feedback] == [0.5]


def append_and_load(store: RedisStore) -> None:
    store.append([outcome(1), feedback("f1")], fold)
    store.load()


@pytest.mark.parametrize("part", ["log", "ids", "progress", "state:learned"])
def test_a_key_of_another_type_is_named_and_nothing_is_half_done(tmp_path: Path, part: str) -> None:
    with redis_server(tmp_path) as server, closing(RedisStore(server.url, learn_every=1)) as store:
        key = f"tiercel:{{tiercel}}:{part}"
        server.client.sadd(key, "theirs")
        with pytest.raises(StoreError, match=rf"{re.escape(key)}\b.*WRONGTYPE|WRONGTYPE {re.escape(key)}") as raised:
            append_and_load(store)
        assert not raised.value.retryable
        server.client.delete(key)
        if part != "state:learned":  # then what was appended stands, and is learned later
            assert server.client.dbsize() == 0
            store.append([outcome(1), feedback("f1")], fold)
        assert store.load()[0] == fold([outcome(1), feedback("f1")]).climbed(0.0)


def test_a_full_server_takes_nothing_half_and_all_when_there_is_room(tmp_path: Path) -> None:
    batch: list[Event] = [outcome(1), feedback("f1", decision_id="dec_1", source="user:1")]
    with redis_server(tmp_path) as server, closing(RedisStore(server.url)) as store:
        store.load()
        server.client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            store.append(batch, fold)
        server.client.config_set("maxmemory", 0)
        assert server.client.dbsize() == 0
        assert store.append(batch, fold).accepted == tuple(batch)


def test_a_server_that_asks_for_a_password_may_be_told_it_later(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        server.client.config_set("requirepass", "CANARY-1")
        with closing(RedisStore(server.url)) as store, pytest.raises(StoreUnavailable, match="Authentication"):
            store.append([outcome(1)], fold)
        address = server.url.removeprefix("redis://")
        with (
            closing(RedisStore(f"redis://:CANARY-2@{address}")) as store,
            pytest.raises(StoreUnavailable) as refused,
        ):
            store.load()
        assert "CANARY" not in f"{refused.value!r} {store.url}"
        with closing(RedisStore(f"redis://:CANARY-1@{address}")) as store:
            assert store.append([outcome(1)], fold).accepted


def test_nobody_there_and_somebody_else_there() -> None:
    with closing(RedisStore(f"redis://127.0.0.1:{free_port()}/0")) as store:
        for call in (store.load, lambda: store.append([outcome(1)], fold)):
            with pytest.raises(StoreUnavailable, match="refused"):
                call()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with (
            closing(RedisStore(address, timeout_s=0.05)) as store,
            pytest.raises(StoreUnavailable, match=r"[Tt]imeout"),
        ):
            store.load()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    store.close()
    for call in (store.load, lambda: store.append([outcome(1)], fold)):
        with pytest.raises(StoreUnavailable, match="was closed"):
            call()
