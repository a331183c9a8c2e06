"""The shared store answers and refuses: decisions go on, what waits is delivered as soon as it takes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from benchmarks.redis_server import RedisServer, redis_server

from support.reported import Reported
from support.servers import free_port
from support.shared import counted, held, kept, router_on
from support.traffic import traffic
from support.waiting import until

MUCH = 80_000
"""Keys that take longer to load than any of these tests."""


class Refusal(NamedTuple):
    """How a server comes to refuse, and how it ends."""

    begin: Callable[[RedisServer], object]
    end: Callable[[RedisServer], object]
    said: str


def ask_for_a_password(server: RedisServer) -> None:
    server.client.config_set("requirepass", "CANARY-1")
    server.client.client_kill_filter(_type="normal", skipme=True)


def load_slowly(server: RedisServer) -> None:
    """As a server that has much to read; it answers every 1,000 commands. Until it is started again as usual."""
    with server.client.pipeline(transaction=False) as pipeline:
        for number in range(MUCH):
            pipeline.set(f"theirs:{number}", "")
        pipeline.execute()
    server.stop()
    server.start("--key-load-delay", "200", wait=False)


def load_quickly(server: RedisServer) -> None:
    server.kill()
    server.start()


REFUSALS = {
    "READONLY": Refusal(
        lambda server: server.client.replicaof("127.0.0.1", free_port()),
        lambda server: server.client.replicaof("NO", "ONE"),
        "read only replica",
    ),
    "LOADING": Refusal(load_slowly, load_quickly, "loading the dataset"),
    "OOM": Refusal(
        lambda server: server.client.config_set("maxmemory", 1),
        lambda server: server.client.config_set("maxmemory", 0),
        "maxmemory",
    ),
    "NOAUTH": Refusal(
        ask_for_a_password, lambda server: server.client.config_set("requirepass", ""), "Authentication required"
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_refusing_server_did_not_take_it_gets_when_it_takes_it(
    tmp_path: Path, reported: Reported, name: str
) -> None:
    begin, end, said = REFUSALS[name]
    with redis_server(tmp_path, durable=name == "LOADING") as server, router_on(server.url) as router:
        with traffic(router) as calls:
            calls.more(100)
            begin(server)
            until(lambda: re.search(said, router.learner.status().error))
            calls.last(reported.size(0.3, 15.0))
            assert router.learner.degraded
            end(server)
            back_s = until(lambda: not router.learner.delivery.away)
            until(lambda: not router.learner.degraded)
            calls.more(50)
        router.learner.flush(10.0)
        made = len(calls.took_s)
        reported.none("refusals", f"{name}: decisions failed", of=made, bad=len(calls.failures))
        wrong = sum(abs(made - found) for found in counted(kept(server))) + router.learner.status().dropped
        reported.none("refusals", f"{name}: calls and ratings lost or counted twice", of=2 * made, bad=wrong)
        reported.most("refusals", f"{name}: back after", back_s, 2.0, unit="s", fails_at=10.0)
        assert held(router) == kept(server)


def test_scripts_that_are_forgotten_all_the_time_are_told_again(tmp_path: Path, reported: Reported) -> None:
    with redis_server(tmp_path) as server, router_on(server.url) as router:
        with traffic(router) as calls:
            for _ in range(reported.size(20, 1_000)):
                server.client.script_flush()
                calls.more(5)
            assert not router.learner.degraded
        router.learner.flush(10.0)
        made = len(calls.took_s)
        reported.none("refusals", "NOSCRIPT: decisions failed", of=made, bad=len(calls.failures))
        wrong = sum(abs(made - found) for found in counted(kept(server)))
        reported.none("refusals", "NOSCRIPT: calls and ratings lost or counted twice", of=2 * made, bad=wrong)
