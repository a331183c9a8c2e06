"""A router whose route has a judge, over scripted providers: what was answered, graded and logged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from support.called import BODY
from support.in_process import LARGE, SMALL, AwayStore, gateway_settings, model
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.grading import JudgeSettings
from tiercel.domain.decision import Decision
from tiercel.domain.events import Feedback
from tiercel.domain.request import RequestContext
from tiercel.library.router import AsyncRouter
from tiercel.ports import NO_HEADERS, START, ProviderResponse
from tiercel.services.judging.judging import Judging, JudgingSettings
from tiercel.testing import ManualClock, Reply, ScriptedProvider, completion

JUDGED = RequestContext(workflow="w", stage="s")
ALWAYS = JudgeSettings(model="judge", rate=1.0)
GOOD = completion('{"grade": 8}', prompt_tokens=100, completion_tokens=5)
JUNK = completion("An 8, I would say.")
HANGS = Reply(hangs_before_head=True)


def judged_settings(judge: JudgeSettings = ALWAYS, **fields: object) -> Settings:
    """Two models, which answer, and a judge with a provider of its own; the routes of workflow "w" are judged."""
    models = [SMALL, LARGE, model("judge", "premium", provider="judging")]
    unjudged = RouteSettings(match="*", models=("small", "large"), policy="random")
    routes = (replace(unjudged, match="w/*", judge=judge), unjudged)
    return replace(gateway_settings(models, routes=routes), **fields)  # type: ignore[arg-type]


class Watched(ScriptedProvider):
    """One that tells when it was asked."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(*replies)
        self._asked = asyncio.Event()

    async def chat(
        self, body: bytes, *, stream: bool, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS
    ) -> ProviderResponse:
        self._asked.set()
        return await super().chat(body, stream=stream, timeout_s=timeout_s, headers=headers)

    async def asked(self, times: int) -> None:
        """Wait until it was asked so often; for 10 s at most."""
        async with asyncio.timeout(10):
            while len(self.calls) < times:
                self._asked = asyncio.Event()  # in whichever loop this is
                await self._asked.wait()


class Bench:
    """A router with a judge over scripted providers, and what was logged."""

    def __init__(
        self,
        *,
        judge: JudgeSettings = ALWAYS,
        answers: Sequence[Reply] = (),
        grades: Sequence[Reply] = (GOOD,),
        limits: JudgingSettings | None = None,
        **fields: object,
    ) -> None:
        self.answering, self.judging = Watched(*answers), Watched(*grades)
        self.clock, self.store = ManualClock(), AwayStore()
        self.router = AsyncRouter(
            settings=judged_settings(judge, **fields),
            store=self.store,
            providers={"scripted": self.answering, "judging": self.judging},
            clock=self.clock,
        )
        self.counts = self.router.judge_counts
        if limits is not None:
            services = self.router.core, {"judging": self.judging}, self.router.intake
            self.router.completions._judging = Judging(*services, counts=self.counts, settings=limits)

    async def call(
        self,
        body: dict[str, Any] = BODY,
        *,
        context: RequestContext = JUDGED,
        model: str = "",
        request_id: str = "",
        settled: bool = True,
    ) -> Decision:
        """Call, read the answer to its end, and wait until it is graded."""
        answer = await self.router.completions.open(body, context, requested_model=model, request_id=request_id)
        async for _ in answer.body:
            pass
        await answer.body.aclose()
        if settled:
            await settle()
        return answer.decision

    def logged(self, kind: type[Any]) -> list[Any]:
        self.router.learner.flush(10)
        events, _ = self.router.store.events_after(START, 10_000)
        return [event for event in events if isinstance(event, kind)]

    def ratings(self) -> list[Feedback]:
        return self.logged(Feedback)

    def fates(self) -> dict[str, int]:
        """The counts that are not 0."""
        names = ("drawn", "graded", "unanswered", "dropped", "failed", "unparsable")
        return {name: count for name in names if (count := getattr(self.counts, name))}


async def settle() -> None:
    """Wait until every task but this one has ended."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=10)
