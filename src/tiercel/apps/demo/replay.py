"""The run: prompts in waves, each wave asked at once, and ratings of some of its answers some waves later.

A wave begins when the one before is answered and its ratings are learned, so every decision of a wave is made from the
same knowledge whatever the timing, and a seed makes the routing reproducible.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from tiercel.apps.demo.client import GatewayClient, Reply, Verdict
from tiercel.apps.demo.table import Prompt

WAVE = 16
"""So many requests are under way at once."""
_STREAMED_EVERY = 4
_RATED_BY_COMPLETION_EVERY = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: the order of the prompts, and which answers will be rated, are functions of the seed.

    `feedback_share` of the answers (0..1) is rated, `delay` waves after the one they were given in.
    """

    prompts: tuple[Prompt, ...]
    rated: frozenset[int]
    seed: int
    delay: int

    @classmethod
    def of(cls, prompts: Sequence[Prompt], *, count: int, seed: int, feedback_share: float, delay: int) -> Plan:
        """The plan for `count` of the prompts, in an order drawn with the seed."""
        drawn = random.Random(f"{seed}/order").sample(prompts, count)  # noqa: S311 - reproducible is the purpose
        coin = random.Random(f"{seed}/rated")  # noqa: S311
        rated = frozenset(index for index in range(count) if coin.random() < feedback_share)
        return cls(tuple(drawn), rated, seed, delay)


@dataclass(slots=True)
class Progress:
    """How far the run is: `replies[i]` answers `plan.prompts[i]`.

    `lags` are, per rating, how many requests and seconds lay between an answer and its rating.
    """

    plan: Plan
    replies: list[Reply] = field(default_factory=list)
    lags: list[tuple[int, float]] = field(default_factory=list)


async def replay(client: GatewayClient, plan: Plan) -> AsyncIterator[Progress]:
    """Run the plan; yields after every wave, and once more when the last ratings are in."""
    progress = Progress(plan)
    waiting: deque[tuple[int, float]] = deque()
    for first in range(0, len(plan.prompts), WAVE):
        indices = range(first, min(first + WAVE, len(plan.prompts)))
        progress.replies += await _wave(client, plan, indices)
        waiting.append((first, time.monotonic()))
        if len(waiting) > plan.delay:
            await _rate(client, progress, *waiting.popleft())
        yield progress
    while waiting:
        await _rate(client, progress, *waiting.popleft())
    yield progress


async def _wave(client: GatewayClient, plan: Plan, indices: Iterable[int]) -> list[Reply]:
    """Ask at once, and wait for all even where one fails: none may be left behind."""
    answered = await asyncio.gather(*(_ask(client, plan, index) for index in indices), return_exceptions=True)
    replies = [reply for reply in answered if isinstance(reply, Reply)]
    for failure in answered:
        if isinstance(failure, BaseException):
            raise failure
    return replies


async def _ask(client: GatewayClient, plan: Plan, index: int) -> Reply:
    return await client.ask(plan.prompts[index], f"demo-{plan.seed}-{index}", stream=index % _STREAMED_EVERY == 0)


async def _rate(client: GatewayClient, progress: Progress, first: int, answered_s: float) -> None:
    """Post the recorded quality of the rated answers of the wave that begins with prompt `first`."""
    plan = progress.plan
    rated = [index for index in range(first, min(first + WAVE, len(plan.prompts))) if index in plan.rated]
    if not rated:
        return
    verdicts = []
    for index in rated:
        reply = progress.replies[index]
        quality = plan.prompts[index].recorded[reply.model].quality
        verdicts.append(Verdict(reply, quality, index % _RATED_BY_COMPLETION_EVERY == 0))
    await client.rate(verdicts)
    lag_s = time.monotonic() - answered_s
    progress.lags += [(len(progress.replies) - index, lag_s) for index in rated]
