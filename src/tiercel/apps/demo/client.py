"""A user of the gateway, through HTTP like any other: asks, rates answers, looks at what was learned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response, ResponseBodyReader

from tiercel.apps.demo.table import WORKFLOW, Prompt
from tiercel.domain.errors import TiercelError

JUDGE = "judge"
"""The source of the ratings."""
_TIMEOUT = timedelta(seconds=60)
_FOLLOWED = timedelta(hours=1)
_SETTLE_S = 0.05


class CallFailed(TiercelError):
    """A call to the demo's gateway did not succeed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as its caller has it: which model gave it, the ids it can be rated by, and its tokens."""

    model: str
    decision_id: str
    completion_id: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The quality (0..1) an evaluator gives a reply, by the id of its decision or of its completion."""

    reply: Reply
    quality: float
    by_completion: bool

    def body(self) -> dict[str, object]:
        """As the gateway takes it."""
        by = (
            {"completion_id": self.reply.completion_id}
            if self.by_completion
            else {"decision_id": self.reply.decision_id}
        )
        return {**by, "quality": self.quality, "source": JUDGE}


class GatewayClient:
    """Calls a gateway; every method raises `CallFailed` for anything but success. `async with` closes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Client = ClientBuilder().base_url(url).no_proxy().timeout(_TIMEOUT).build()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask(self, prompt: Prompt, request_id: str, *, stream: bool) -> Reply:
        """Ask the gateway to choose a model for `prompt` and have it answered."""
        body: dict[str, object] = {
            "model": "auto",
            "messages": [{"role": "user", "content": prompt.text}],
            "metadata": {"workflow": WORKFLOW, "stage": prompt.stage},
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        response = await self._call("POST", "/v1/chat/completions", body, {"x-request-id": request_id})
        answer = _last_of_stream(await response.text()) if stream else await response.json()
        usage = answer["usage"]
        return Reply(
            model=response.get_header("x-tiercel-model") or "",
            decision_id=response.get_header("x-tiercel-decision-id") or "",
            completion_id=answer["id"],
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
        )

    async def rate(self, verdicts: Sequence[Verdict]) -> None:
        """Post verdicts together; when this returns they are kept and learned from."""
        answer = await (await self._call("POST", "/v1/feedback", [verdict.body() for verdict in verdicts])).json()
        buffered = any(entry.get("buffered") for entry in answer)
        while buffered:
            await asyncio.sleep(_SETTLE_S)
            buffered = (await self.get("/v1/stats"))["store"]["buffered"] > 0

    async def decide(self, stage: str) -> Any:  # noqa: ANN401 - JSON
        """What the gateway would do for a request of `stage` now."""
        body = {"workflow": WORKFLOW, "stage": stage}
        return await (await self._call("POST", "/v1/decisions", body)).json()

    @asynccontextmanager
    async def events(self, kind: str) -> AsyncIterator[AsyncIterator[Any]]:
        """Gives the gateway's events of one kind from now on, as they come."""
        request = self._client.get(f"/v1/events?kinds={kind}").timeout(_FOLLOWED)
        # with a larger buffer the client holds events back until it is full
        async with request.streamed_read_buffer_limit(1).build_streamed() as response:
            if response.status >= 400:
                raise CallFailed(f"GET /v1/events answered {response.status}: {await response.text()}")
            yield _events(response.body_reader)

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What a GET answers."""
        return await (await self._call("GET", path)).json()

    async def _call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Response:
        request = self._client.request(method, path).headers(headers or {})
        if body is not None:
            request = request.body_json(body)
        try:
            response = await request.build().send()
            failed = "" if response.status < 400 else f"{response.status}: {await response.text()}"
        except PyreqwestError as error:
            raise CallFailed(f"{method} {path}: {type(error).__name__}") from error
        if failed:
            raise CallFailed(f"{method} {path} answered {failed}")
        return response


async def _events(reader: ResponseBodyReader) -> AsyncIterator[Any]:
    """The data of a stream of server-sent events."""
    rest = b""
    try:
        while (chunk := await reader.read_chunk()) is not None:
            *whole, rest = (rest + chunk.to_bytes()).split(b"\n\n")
            for line in (line for event in whole for line in event.split(b"\n")):
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
    except PyreqwestError as error:
        raise CallFailed(f"the stream of GET /v1/events broke: {type(error).__name__}") from error


def _last_of_stream(events: str) -> Any:  # noqa: ANN401 - JSON
    """The last event before the closing mark: the one with the usage."""
    *_, usage, done = (event.removeprefix("data: ") for event in events.strip().split("\n\n"))
    if done != "[DONE]":
        raise CallFailed(f"the stream ended with {done!r}")
    return json.loads(usage)
