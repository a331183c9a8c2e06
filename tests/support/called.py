"""A router over a scripted provider, called as the gateway calls it."""

from __future__ import annotations

from typing import Any, ClassVar

from support.in_process import gateway_settings
from tiercel.config.settings import Settings
from tiercel.domain.events import Outcome
from tiercel.domain.request import RequestContext
from tiercel.library.router import AsyncRouter
from tiercel.ports import START
from tiercel.services.completion import Answer
from tiercel.testing import ManualClock, Reply, ScriptedProvider

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
STREAMED = {**BODY, "stream": True}
CONTEXT = RequestContext(workflow="w", stage="s")


class Called:
    """A router over a scripted provider, and what it recorded."""

    opened: ClassVar[list[Called]] = []

    def __init__(
        self,
        *replies: Reply,
        providers: dict[str, ScriptedProvider] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.provider = ScriptedProvider(*replies)
        self.clock = ManualClock()
        self.router = AsyncRouter(
            policy="tier-rules",
            settings=settings or gateway_settings(),
            store="memory://",
            providers={"scripted": self.provider} if providers is None else providers,
            clock=self.clock,
        )
        self.opened.append(self)

    async def open(self, body: dict[str, Any] = BODY, model: str = "") -> Answer:
        return await self.router.completions.open(body, CONTEXT, requested_model=model)

    async def call(self, body: dict[str, Any] = BODY, model: str = "") -> tuple[Answer, bytes]:
        """Call, and read the answer to its end."""
        answer = await self.open(body, model)
        return answer, b"".join([chunk async for chunk in answer.body])

    def outcomes(self) -> list[Outcome]:
        """Everything recorded, in order."""
        self.router.learner.flush(10)
        events, _ = self.router.store.events_after(START, 1000)
        return [event for event in events if isinstance(event, Outcome)]
