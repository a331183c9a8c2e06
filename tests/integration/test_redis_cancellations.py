"""Callers who give up: nobody gets an answer meant for another, whoever's wait was cut short on a shared connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

from benchmarks.redis_server import redis_server

from support.happenings import decision
from support.proxy import Proxy, proxied
from support.reported import Reported
from support.shared import counted, kept
from support.worlds import THREE_TIERS
from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreUnavailable
from tiercel.library.router import AsyncRouter

SEED = 20_261_122
TOGETHER = 50
KNOWN = 200


async def rated(router: AsyncRouter, numbers: Iterator[int], draw: random.Random) -> tuple[int, int]:
    """Rate one decision after another, many at a time, and give some up; how many were, and wrong acknowledgements."""
    decided = router.decide("review", "analysis", requires=("general",))
    waits: dict[str, asyncio.Task[str]] = {}
    for _ in range(TOGETHER):
        name = f"f{next(numbers)}"
        waits[name] = asyncio.create_task(router.record_feedback(decided.id, 0.5, source=name, id=name))
    await asyncio.sleep(0)
    given_up = 0
    for wait in draw.sample(list(waits.values()), TOGETHER // 2):
        # some at once, some while the commit is under way, some when it is done
        if draw.random() < 0.3:
            await asyncio.sleep(draw.uniform(0.0, 0.002))
        given_up += wait.cancel()
    answers = await asyncio.gather(*waits.values(), return_exceptions=True)
    heard = [(name, said) for name, said in zip(waits, answers, strict=True) if isinstance(said, str)]
    assert all(isinstance(said, str | asyncio.CancelledError) for said in answers)
    return given_up, sum(name != said for name, said in heard)


async def test_callers_that_are_cancelled_take_nobodys_answer(tmp_path: Path, reported: Reported) -> None:
    wanted = reported.size(1_000, 100_000)
    draw, numbers = random.Random(SEED), count()
    given_up = wrong = 0
    with redis_server(tmp_path) as server:
        async with AsyncRouter(models=THREE_TIERS, store=server.url, seed=1) as router:
            while given_up < wanted:
                cancelled, mistaken = await rated(router, numbers, draw)
                given_up, wrong = given_up + cancelled, wrong + mistaken
            await asyncio.to_thread(router.learner.flush, 10.0)
        reported.none("cancellations", "cancelled tasks: wrong acknowledgements", of=given_up, bad=wrong, seeds=SEED)
        made = next(numbers)
        # who gives up waiting has rated all the same
        reported.none(
            "cancellations",
            "cancelled tasks: ratings lost or counted twice",
            of=made,
            bad=abs(made - counted(kept(server))[1]),
            seeds=SEED,
        )


def asked(store: RedisStore, proxy: Proxy, tries: int, draw: random.Random) -> tuple[int, int]:
    """Ask for decisions while answers are late; how often that took too long, and how often another's came."""
    late = wrong = 0
    for _ in range(tries):
        number = draw.randrange(KNOWN)
        proxy.weather.delay_s = draw.choice((0.0, 0.0, 0.0, 0.06))
        try:
            record = store.decision(f"dec_{number}")
        except StoreUnavailable:
            late += 1
        else:
            wrong += record is None or record.decision.id != f"dec_{number}"
    return late, wrong


def test_an_answer_that_came_too_late_is_not_the_next_ones(tmp_path: Path, reported: Reported) -> None:
    """A connection whose answer is still under way is never used again."""
    threads, tries = 8, reported.size(100, 5_000)
    with (
        redis_server(tmp_path) as server,
        proxied(server.port) as proxy,
        closing(RedisStore(proxy.url, timeout_s=0.05)) as store,
    ):
        with closing(RedisStore(server.url)) as near:
            near.append([decision(number) for number in range(KNOWN)], fold)
        with ThreadPoolExecutor(threads) as pool:
            draws = [random.Random(f"{SEED}/{number}") for number in range(threads)]
            answers = list(pool.map(lambda draw: asked(store, proxy, tries, draw), draws))
        late, wrong = sum(late for late, _ in answers), sum(wrong for _, wrong in answers)
        assert late > tries // 10
        what = f"{threads} threads on shared connections, {late:,} answers too late: another's answers"
        reported.none("cancellations", what, of=threads * tries, bad=wrong, seeds=SEED)
