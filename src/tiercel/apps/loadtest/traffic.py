"""Requests at their times and ratings of their answers.

With a rate, requests are sent at moments drawn beforehand, whether or not earlier ones were answered; latency counts
from that moment, so that a gateway that stalls is charged for all who waited. With a number of callers, each asks
again when it was answered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tiercel.apps.loadtest.gateway import LoadClient, Reply, memory_bytes
from tiercel.apps.loadtest.scenarios import ALPHA, STAGES, STORM, WORKFLOW
from tiercel.apps.loadtest.settings import LIMIT, LoadSettings

_RATE_EVERY_S = 0.25
_STORM_BATCH = 1_000
_TELL_EVERY_S = 0.2
_WORDS = ("summarise", "compare", "translate", "explain", "list", "rewrite", "check", "extract")
MAX_RATINGS = 5_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: when it was due in seconds since the start, how long its answer took from then on, and the answer."""

    at_s: float
    latency_ms: float
    reply: Reply


@dataclass(slots=True)
class Traffic:
    """What was sent so far. `unsent` requests were due while too many were under way."""

    sent: list[Sent] = field(default_factory=list)
    unsent: int = 0
    rated: int = 0
    unrated: int = 0
    storm_ratings: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list)


Tell = Callable[[float, Traffic], None]
"""Is called a few times a second with the seconds that have passed."""


def arrivals(settings: LoadSettings) -> Iterator[float]:
    """When requests are due, in seconds: a Poisson process whose rate follows the scenario."""
    drawn = random.Random(f"{settings.seed}/arrivals")  # noqa: S311 - reproducible draws are the purpose
    peak = settings.per_s * max(phase.load for phase in settings.load.phases)
    at_s = 0.0
    while (at_s := at_s + drawn.expovariate(peak)) < settings.lasts_s:
        if drawn.random() * peak < settings.per_s * settings.load.phase(at_s / settings.lasts_s).load:
            yield at_s


class LoadRun:
    """One load on one gateway. `gateway_pid` is its process where it is ours."""

    def __init__(self, client: LoadClient, settings: LoadSettings, tell: Tell, gateway_pid: int | None = None) -> None:
        self.traffic = Traffic()
        self._client = client
        self._settings = settings
        self._tell = tell
        self._gateway_pid = gateway_pid
        self._began_s = 0.0
        self._numbers = 0
        self._ratings: list[dict[str, object]] = []
        self._chance = random.Random(f"{settings.seed}/ratings")  # noqa: S311 - likewise

    async def run(self) -> Traffic:
        """Send everything, wait for the answers, and rate what is left to be rated."""
        self._began_s = time.monotonic()
        beside = [asyncio.create_task(work()) for work in (self._rate_now_and_then, self._watch, self._storm)]
        try:
            await (self._callers() if self._settings.concurrency else self._at_their_times())
            await beside[2]
        finally:
            for task in beside:
                task.cancel()
        await self._rate()
        return self.traffic

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    async def _at_their_times(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        for at_s in arrivals(self._settings):
            await asyncio.sleep(max(0.0, at_s - self._now_s()))
            if len(under_way) >= LIMIT:
                self.traffic.unsent += 1
                continue
            task = asyncio.create_task(self._ask(at_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _callers(self) -> None:
        async def caller() -> None:
            while (at_s := self._now_s()) < self._settings.lasts_s:
                await self._ask(at_s)

        await asyncio.gather(*(caller() for _ in range(self._settings.concurrency)))

    async def _ask(self, at_s: float) -> None:
        number = self._numbers
        self._numbers += 1
        drawn = random.Random(f"{self._settings.seed}/{number}")  # noqa: S311 - likewise
        text = f"{number}: " + " ".join(drawn.choices(_WORDS, k=drawn.randint(5, 60)))
        request_id = f"load-{self._settings.seed}-{number}"
        reply = await self._client.ask(text, STAGES[number % len(STAGES)], request_id)
        self.traffic.sent.append(Sent(at_s, (self._now_s() - at_s) * 1_000, reply))
        if reply.quality is not None and drawn.random() < self._settings.load.rated:
            self._ratings.append({"decision_id": reply.decision_id, "quality": reply.quality})

    async def _rate_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_RATE_EVERY_S)
            await self._rate()

    async def _rate(self) -> None:
        ratings, self._ratings = self._ratings[:MAX_RATINGS], self._ratings[MAX_RATINGS:]
        if ratings:
            if await self._client.rate(ratings):
                self.traffic.rated += len(ratings)
            else:
                self.traffic.unrated += len(ratings)

    async def _storm(self) -> None:
        """Bad ratings, as fast as they are taken, from the moment the scenario says."""
        start = next((phase.start for phase in self._settings.load.phases if phase.storm), None)
        if start is None:
            return
        await asyncio.sleep(start * self._settings.lasts_s)
        left = self._settings.bad_ratings
        while left > 0:
            count = min(left, _STORM_BATCH)
            left -= count
            bad = {"workflow": WORKFLOW, "stage": STORM, "model": ALPHA}
            ratings = [{**bad, "quality": round(0.1 * self._chance.random(), 3)} for _ in range(count)]
            if await self._client.rate(ratings):
                self.traffic.storm_ratings += count
            else:
                self.traffic.unrated += count

    async def _watch(self) -> None:
        looked_s = -1.0
        while True:
            now_s = self._now_s()
            self._tell(now_s, self.traffic)
            if self._gateway_pid is not None and now_s - looked_s >= self._settings.lasts_s / 100:
                looked_s = now_s
                held = await asyncio.to_thread(memory_bytes, self._gateway_pid)
                if held is not None:
                    self.traffic.memory.append((now_s, held))
            await asyncio.sleep(_TELL_EVERY_S)
