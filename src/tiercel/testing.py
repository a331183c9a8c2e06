"""Public fakes for tests of programs that use tiercel: a manual clock, a seeded generator, a scripted provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tiercel.domain.errors import ProviderError
from tiercel.ports import NO_HEADERS, ProviderResponse

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Where a `ManualClock` starts."""


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds advanced since the start."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds

    def step(self, seconds: float) -> None:
        """Step the time of day without any time passing, as a corrected wall clock does."""
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a `ScriptedProvider` answers one call with.

    `refuses` is raised before the head. `breaks` is raised after the `chunks`, and with `hangs` nothing more comes
    after them until the caller gives up (with `hangs_before_head` not even a head).
    """

    chunks: Sequence[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    refuses: ProviderError | None = None
    breaks: ProviderError | None = None
    hangs: bool = False
    hangs_before_head: bool = False


def completion(
    text: str = "Hello", *, prompt_tokens: int = 10, completion_tokens: int = 2, completion_id: str = "chatcmpl-1"
) -> Reply:
    """A whole answer with its usage."""
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    return Reply((json.dumps(body).encode(),))


def stream(
    *tokens: str,
    usage: bool = True,
    done: bool = True,
    prompt_tokens: int = 10,
    completion_id: str = "chatcmpl-1",
    breaks: ProviderError | None = None,
    hangs: bool = False,
) -> Reply:
    """A streamed answer: one event per token, then (with `done`) its finish, its `usage` and the end mark."""
    head = {"id": completion_id, "object": "chat.completion.chunk", "created": 0, "model": "scripted"}

    def event(choices: list[dict[str, object]], **more: object) -> bytes:
        return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"

    chunks = [event([{"index": 0, "delta": {"content": token}, "finish_reason": None}]) for token in tokens]
    if done:
        chunks.append(event([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        if usage:
            counts = {"prompt_tokens": prompt_tokens, "completion_tokens": len(tokens)}
            chunks.append(event([], usage={**counts, "total_tokens": prompt_tokens + len(tokens)}))
        chunks.append(b"data: [DONE]\n\n")
    return Reply(tuple(chunks), headers={"content-type": "text/event-stream"}, breaks=breaks, hangs=hangs)


def error_reply(status: int, message: str = "scripted error") -> Reply:
    """An error status with an OpenAI-shaped body."""
    return Reply((json.dumps({"error": {"message": message, "type": "scripted", "code": None}}).encode(),), status)


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """What a `ScriptedProvider` was asked."""

    body: dict[str, Any]
    stream: bool
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedProvider:
    """A `Provider` that answers by script: with the given replies in turn, the last of them from then on.

    It remembers what it was asked in `calls`, and in `left` how many answers were closed before their end.
    """

    def __init__(self, *replies: Reply) -> None:
        self._replies = replies or (completion(),)
        self.calls: list[ScriptedCall] = []
        self.left = 0
        self.closed = False

    async def chat(
        self, body: bytes, *, stream: bool, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS
    ) -> ProviderResponse:
        """Answer with the next reply of the script."""
        reply = self._replies[min(len(self.calls), len(self._replies) - 1)]
        self.calls.append(ScriptedCall(json.loads(body), stream, timeout_s, dict(headers)))
        if reply.refuses is not None:
            raise reply.refuses
        if reply.hangs_before_head:
            await asyncio.Event().wait()
        return ProviderResponse(reply.status, reply.headers, _ScriptedBody(reply, self))

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class _ScriptedBody:
    """The chunks of a reply, and then what the script says."""

    def __init__(self, reply: Reply, provider: ScriptedProvider) -> None:
        self._reply = reply
        self._chunks = iter(reply.chunks)
        self._provider = provider
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._ended:
            chunk = next(self._chunks, None)
            if chunk is not None:
                return chunk
            if self._reply.hangs:
                await asyncio.Event().wait()
            self._ended = True
            if self._reply.breaks is not None:
                raise self._reply.breaks
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self._ended:
            self._ended = True
            self._provider.left += 1
