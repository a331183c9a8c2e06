"""The shared store loses everything, or others write under its keys: what was learned is put back, once."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.redis_server import RedisServer, redis_server

from support.reported import Reported
from support.shared import counted, held, kept, router_on
from support.traffic import traffic
from support.waiting import until
from tiercel.library.router import Router


def all_hold_what_is_kept(routers: list[Router], server: RedisServer) -> bool:
    there = kept(server)
    return all(held(router) == there for router in routers)


@pytest.mark.parametrize("routers", [1, 3])
def test_of_a_log_that_is_gone_what_it_taught_is_put_back_once(
    tmp_path: Path, reported: Reported, routers: int
) -> None:
    """All know the same when it happens; whichever process finds out first writes it down, whatever the others do."""
    times = reported.size(3, 50)
    with redis_server(tmp_path) as server, ExitStack() as stack:
        opened = [stack.enter_context(router_on(server.url)) for _ in range(routers)]
        made = wrong = 0
        for time in range(times):
            with traffic(opened[time % routers], f"user:{time}") as calls:
                calls.more(30)
            made += len(calls.took_s)
            opened[time % routers].learner.flush(10.0)
            until(lambda: all_hold_what_is_kept(opened, server))
            assert counted(kept(server)) == (made, made)
            before = held(opened[0])
            server.client.flushall()
            until(lambda: all_hold_what_is_kept(opened, server) and counted(kept(server))[0])
            wrong += held(opened[0]) != before
        what = f"FLUSHALL {times} times, {routers} processes, {made:,} calls: states that were not what they had been"
        reported.none("emptied", what, of=times, bad=wrong)
        assert counted(kept(server)) == (made, made)


def test_under_load_no_more_is_lost_than_nobody_had_read(tmp_path: Path, reported: Reported) -> None:
    """The ones learn what the others logged twice a second: of that, the last may be lost with the log."""
    with redis_server(tmp_path) as server, router_on(server.url) as one, router_on(server.url) as other:
        with traffic(one, "user:1") as ones, traffic(other, "user:2") as others:
            others.more(400)
            server.client.flushall()
            others.more(400)
        for router in (one, other):
            router.learner.flush(10.0)
        until(lambda: all_hold_what_is_kept([one, other], server))
        made = len(ones.took_s) + len(others.took_s)
        lost = made - counted(kept(server))[0]
        failed = len(ones.failures + others.failures)
        reported.none("emptied", "FLUSHALL under load: decisions failed", of=made, bad=failed)
        assert lost >= 0, "something counts twice"
        reported.most("emptied", f"FLUSHALL under load: calls lost of {made:,}", lost, made / 4)


def test_who_rates_without_following_the_log_is_not_in_the_way(tmp_path: Path) -> None:
    """A rating of a process that follows nothing begins the new log; the state of the old one still finds its place."""
    with redis_server(tmp_path) as server, router_on(server.url) as router:
        with traffic(router) as calls:
            calls.more(30)
        router.learner.flush(10.0)
        made = len(calls.took_s)
        with router_on(f"{server.url}?name=tiercel") as other:
            decision = other.decide("review", "analysis", requires=("general",))
            server.client.flushall()
            other.record_feedback(decision.id, 0.5, source="user:2")
        until(lambda: counted(held(router)) == (made, made + 1) and held(router) == kept(server))


@pytest.mark.parametrize("part", ["log", "ids", "progress", "decisions"])
def test_keys_of_another_type_fail_no_decision_and_lose_nothing(tmp_path: Path, reported: Reported, part: str) -> None:
    with redis_server(tmp_path) as server, router_on(server.url) as router:
        key = f"tiercel:{{tiercel}}:{part}"
        with traffic(router) as calls:
            calls.more(50)
            with server.client.pipeline() as at_once:
                at_once.rename(key, "theirs").sadd(key, "theirs").execute()
            until(lambda: key in router.learner.status().error)
            calls.more(50)
            assert router.learner.degraded
            server.client.rename("theirs", key)
            until(lambda: not router.learner.degraded)
        router.learner.flush(10.0)
        made = len(calls.took_s)
        reported.none("emptied", f"a set in the place of {part}: decisions failed", of=made, bad=len(calls.failures))
        wrong = sum(abs(made - found) for found in counted(kept(server))) + router.learner.status().dropped
        reported.none("emptied", f"a set in the place of {part}: calls and ratings lost", of=2 * made, bad=wrong)
