"""One master of a Cluster is away and nobody takes its place: the others go on, and it gets what waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from benchmarks.redis_server import RedisServer

from support.redis_cluster import MEMBER, RedisCluster, redis_cluster
from support.reported import Reported
from support.shared import counted, held, router_on
from support.traffic import traffic
from support.waiting import until
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.redis_store.keys import divided, home_of
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.request import stage_segment
from tiercel.library.router import Router

PARTITIONS = 16
KEYS = divided("tiercel", PARTITIONS)


def master_of(cluster: RedisCluster, stage: str) -> RedisServer:
    """The master of all that concerns a stage."""
    return cluster.master_of(KEYS[home_of(stage_segment("review", stage), PARTITIONS)].log.name)


def stage_elsewhere(cluster: RedisCluster) -> str:
    """A stage of another master than the one of "analysis"."""
    away = master_of(cluster, "analysis")
    return next(stage for number in count() if master_of(cluster, stage := f"stage {number}") is not away)


def calls_of(router: Router, stage: str) -> int:
    """How many calls of a stage a process knows of."""
    knowledge = router.learner.knowledge
    keys = (key for key in knowledge.keys(stage_segment("review", stage)) if key[-2] == "model")
    return sum(knowledge.sums(key).requests for key in keys)


def knows(router: Router, stage: str, calls: int) -> bool:
    """Whether a process knows of so many calls of a stage."""
    return calls_of(router, stage) >= calls


def kept(url: str) -> Deltas:
    """What the Cluster holds."""
    with closing(RedisStore(url)) as store:
        return store.load()[0]


@contextmanager
def away(server: RedisServer, how: str) -> Iterator[None]:
    """It is frozen or killed, and comes back."""
    server.freeze() if how == "frozen" else server.kill()
    try:
        yield
    finally:
        server.thaw() if how == "frozen" else server.start(*MEMBER)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_master_that_is_away_holds_up_only_what_is_its_own(tmp_path: Path, reported: Reported, how: str) -> None:
    what = f"one of 3 masters {how}, none promoted"
    with (
        redis_cluster(tmp_path, durable=True) as cluster,
        router_on(cluster.url) as one,
        router_on(cluster.url) as other,
    ):
        stage, server = stage_elsewhere(cluster), master_of(cluster, "analysis")
        its = {number for number, keys in enumerate(KEYS) if cluster.master_of(keys.log.name) is server}
        with traffic(one, "user:1") as waits, traffic(one, "user:2", stage=stage) as goes_on:
            waits.more(50)
            goes_on.more(50)
            with away(server, how):
                until(lambda: one.learner.degraded and other.learner.degraded)
                longest_s = 0.0
                for _ in range(reported.size(4, 40)):
                    goes_on.more(20)
                    made = len(goes_on.took_s)
                    longest_s = max(longest_s, until(partial(knows, other, stage, made)))
                waits.more(20)
                waiting = one.learner.status()
                assert set(one.learner.delivery.keeping.parts) <= its
                assert waiting.kept > 0
                assert "127.0.0.1" in waiting.error
            back_s = until(lambda: not one.learner.degraded and not other.learner.degraded)
            waits.more(20)
        one.learner.flush(10.0)
        made = len(waits.took_s) + len(goes_on.took_s)
        failed = len(waits.failures + goes_on.failures)
        reported.none("refusals", f"{what}: decisions failed", of=made, bad=failed)
        known = f"{what}: what concerns the others is known to another process, at the latest after"
        reported.most("refusals", known, longest_s, 1.0, unit="s", fails_at=5.0)
        reported.most("refusals", f"{what}: back after", back_s, 2.0, unit="s", fails_at=10.0)
        until(lambda: held(one) == held(other) == kept(cluster.url))
        wrong = sum(abs(made - found) for found in counted(kept(cluster.url))) + one.learner.status().dropped
        reported.none("refusals", f"{what}: calls and ratings lost or counted twice", of=2 * made, bad=wrong)


def test_who_starts_while_a_master_is_away_learns_the_rest_now_and_that_later(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster, router_on(cluster.url) as one:
        stage, server = stage_elsewhere(cluster), master_of(cluster, "analysis")
        with traffic(one) as first, traffic(one, "user:2", stage=stage) as second:
            first.more(30)
            second.more(30)
        one.learner.flush(10.0)
        with away(server, "frozen"), router_on(cluster.url) as other:
            until(lambda: calls_of(other, stage) == len(second.took_s))
            assert calls_of(other, "analysis") == 0
            assert other.learner.degraded
            server.thaw()
            until(lambda: held(other) == held(one))
            until(lambda: not other.learner.degraded)


def test_a_rating_finds_its_decision_while_a_master_is_away_that_has_nothing_to_do_with_it(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster, router_on(cluster.url) as one, router_on(cluster.url) as other:
        stage, server = stage_elsewhere(cluster), master_of(cluster, "analysis")
        decisions = [one.decide("review", stage, requires=("general",)) for _ in range(20)]
        one.learner.flush(10.0)
        with away(server, "frozen"):
            for number, decision in enumerate(decisions):
                other.record_feedback(decision.id, 0.5, source="user:1", id=f"f{number}")
            until(lambda: counted(held(one))[1] == len(decisions))


@pytest.mark.parametrize("routers", [1, 3])
def test_of_a_master_that_alone_lost_its_data_what_its_segments_taught_is_put_back_once(
    tmp_path: Path, reported: Reported, routers: int
) -> None:
    times = reported.size(3, 50)
    with redis_cluster(tmp_path) as cluster, ExitStack() as stack:
        opened = [stack.enter_context(router_on(cluster.url)) for _ in range(routers)]
        stage, made, wrong = stage_elsewhere(cluster), 0, 0
        for time in range(times):
            one = opened[time % routers]
            with traffic(one, f"user:{time}") as here, traffic(one, f"other:{time}", stage=stage) as there:
                here.more(20)
                there.more(20)
            made += len(here.took_s) + len(there.took_s)
            one.learner.flush(10.0)
            until(lambda: all(held(router) == kept(cluster.url) for router in opened))
            assert counted(kept(cluster.url)) == (made, made)
            before = held(one)
            master_of(cluster, ("analysis", stage)[time % 2]).client.flushall()
            until(partial(agree_on, opened, cluster.url, made))
            wrong += held(one) != before
        what = f"one of 3 masters emptied {times} times, {routers} processes, {made:,} calls: states that were not"
        reported.none("emptied", f"{what} what they had been", of=times, bad=wrong)


def agree_on(routers: list[Router], url: str, calls: int) -> bool:
    """Whether all know what is kept, and that are so many calls."""
    there = kept(url)
    return counted(there)[0] >= calls and all(held(router) == there for router in routers)


def test_a_master_that_comes_back_empty_gets_back_what_it_had_taught_and_what_waits(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster, router_on(cluster.url) as one, router_on(cluster.url) as other:
        with traffic(one) as calls:
            calls.more(50)
        one.learner.flush(10.0)
        until(lambda: held(one) == held(other))
        with away(master_of(cluster, "analysis"), "killed"), traffic(one, "user:2") as later:
            until(lambda: one.learner.degraded)
            later.more(50)
        until(lambda: not one.learner.degraded)
        one.learner.flush(10.0)
        made = len(calls.took_s) + len(later.took_s)
        until(partial(agree_on, [one, other], cluster.url, made))
        assert counted(kept(cluster.url)) == (made, made)
