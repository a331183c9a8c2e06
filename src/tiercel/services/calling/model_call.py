"""One call to one model, from being sent to its outcome, which is recorded once whatever ends the call.

    ModelCall.begin -> the answer's status, headers and first event known -> Relay -> outcome recorded

A stream has begun with its first choices: what comes before is held back, so that a stream that only says an error, or
nothing but comments, can still be answered by another model. Token usage is the upstream's, or where a stream broke,
what was counted as it passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from tiercel.core.chat_protocol import CompletionFacts, StreamReader, read_completion
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout
from tiercel.domain.events import CLIENT_LEFT, Outcome
from tiercel.ports import NO_HEADERS, ByteStream, CallTrace, Provider, ProviderResponse
from tiercel.services.calling.in_flight import InFlight
from tiercel.services.calling.relay import Relay
from tiercel.services.deciding.router import Router

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_HELD_BYTES = 4 * 1024 * 1024
"""How much of a stream may come before its first choices."""
LINGER_S = 0.05
"""How long an upstream may take from its stream's end mark to the end of the body: only a body read to its end leaves
the connection fit for another call."""
_CALLERS_FAULT = frozenset({400, 405, 406, 409, 410, 411, 413, 414, 415, 422, 431})
"""Statuses that say the request is wrong: passed on, neither retried nor held against the model."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Attempt:
    """One model call that failed: which model, and a short stable word for why."""

    model: str
    error: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that has begun."""

    status: int
    headers: Mapping[str, str]
    streaming: bool
    body: Relay


class ModelCall:
    """One call to one model."""

    __slots__ = (
        "_decision",
        "_fallback_from",
        "_first_token_ms",
        "_in_flight",
        "_model",
        "_prompt_tokens",
        "_router",
        "_said",
        "_sent_at_s",
        "_trace",
        "outcome",
    )

    def __init__(
        self,
        router: Router,
        decision: Decision,
        model: ModelProfile,
        *,
        fallback_from: str,
        prompt_tokens: int,
        in_flight: InFlight,
        trace: CallTrace | None = None,
    ) -> None:
        self._router = router
        self._in_flight = in_flight
        self._decision = decision
        self._model = model
        self._fallback_from = fallback_from
        self._sent_at_s = router.learner.clock.monotonic_s()
        self._prompt_tokens = prompt_tokens or None  # estimated, for a stream that ends without its usage
        self._first_token_ms: float | None = None
        self._trace = trace
        self._said: CompletionFacts | StreamReader | None = None
        self.outcome: Outcome | None = None  # once it is recorded

    async def begin(self, provider: Provider, body: dict[str, Any], timeout_s: float) -> Begun | Attempt:
        """Send the request and wait, `timeout_s` at most, for the answer to begin; else the failure, recorded.

        A status that says the request is wrong is an answer, passed on with the upstream's body; it leaves no outcome,
        since it says nothing of the model.
        """
        self._in_flight.add(self._model.model_id, self)
        begun: Begun | Attempt | None = None
        try:
            begun = await self._begin(provider, body, timeout_s)
            return begun
        finally:
            if not (isinstance(begun, Begun) and begun.streaming):
                self._in_flight.discard(self._model.model_id, self)  # a stream ends later, and sees to it itself

    async def _begin(self, provider: Provider, body: dict[str, Any], timeout_s: float) -> Begun | Attempt:
        stream = bool(body.get("stream"))
        headers = self._trace.headers if self._trace else NO_HEADERS
        try:
            # the provider bounds calls that are not streamed
            async with asyncio.timeout(timeout_s if stream else None):
                response = await provider.chat(self._sent(body), stream=stream, timeout_s=timeout_s, headers=headers)
                if response.status in _CALLERS_FAULT:
                    whole = await _read_whole(response)
                    if self._trace is not None:
                        self._trace.ended(None, status=response.status)
                    return Begun(response.status, response.headers, streaming=False, body=Relay([whole]))
                if not 200 <= response.status < 300:
                    await response.body.aclose()
                    return self.failed(f"status_{response.status}", response.status)
                return await (self._begin_stream(response, body) if stream else self._begin_whole(response))
        except ProviderError as error:
            return self.failed(_word(error))
        except TimeoutError:
            return self.failed("timeout")
        except asyncio.CancelledError:
            # whoever asked gave up before there was an answer
            self._record(success=True, error=CLIENT_LEFT)
            raise

    def failed(self, error: str, status: int = 0) -> Attempt:
        """A failure before the first byte, recorded unless the stream has done so."""
        self._record(success=False, error=error)
        recorded = self.outcome.error if self.outcome else ""
        return Attempt(self._model.model_id, recorded or error, status)

    def _sent(self, body: dict[str, Any]) -> bytes:
        sent = {**body, "model": self._model.upstream}
        if body.get("stream"):
            sent["stream_options"] = {**_stream_options(body), "include_usage": True}
        return _encode(sent)

    async def _begin_whole(self, response: ProviderResponse) -> Begun:
        whole = await _read_whole(response)
        facts = read_completion(whole)
        if facts.fault:
            raise ProviderProtocolError(facts.fault)
        self._record_whole(facts)
        return Begun(response.status, response.headers, streaming=False, body=Relay([whole]))

    async def _begin_stream(self, response: ProviderResponse, body: dict[str, Any]) -> Begun:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/event-stream":
            await response.body.aclose()
            raise ProviderProtocolError("the answer is no stream of events")
        reader = StreamReader(hide_usage=not _stream_options(body).get("include_usage"))
        chunks = self._stream(response, reader)
        held: list[bytes] = []
        held_bytes = 0
        while not reader.answered:
            chunk = await anext(chunks, None)
            if chunk is None:
                raise ProviderProtocolError("the stream ended before it began")
            held.append(chunk)
            held_bytes += len(chunk)
            if held_bytes > MAX_HELD_BYTES:
                await chunks.aclose()
                raise ProviderProtocolError("the stream does not begin")
        return Begun(response.status, response.headers, streaming=True, body=Relay(held, chunks))

    async def _stream(self, response: ProviderResponse, reader: StreamReader) -> AsyncGenerator[bytes]:
        """Relay events as they come; whatever ends this, the outcome is recorded once."""
        error = CLIENT_LEFT
        try:
            async with aclosing(response.body) as arriving:
                async for arrived in arriving:
                    passed = reader.feed(arrived)
                    self._note(reader)
                    if passed:
                        yield passed
                    if reader.done:
                        await _read_off(arriving)
                        break
            rest = reader.end()
            error = _ending(reader)
            if rest and not reader.done:
                yield rest
            if error == "stream_truncated":
                raise ProviderProtocolError("the stream ended before its end")
        except ProviderError as broken:
            error = reader.fault or (_word(broken) if error == CLIENT_LEFT else error)
            raise
        finally:
            self._in_flight.discard(self._model.model_id, self)
            # before an answer has begun, whoever waits for that knows why this ends
            if reader.answered or error != CLIENT_LEFT:
                # clients close when they have read the end: with a whole answer nobody left
                left = error == CLIENT_LEFT and (reader.whole or reader.fault)
                self._record_stream(reader, reader.fault if left else error)

    def _note(self, reader: StreamReader) -> None:
        """Note the first token and the end as they pass. Raises where the stream cannot be read, or never answers."""
        if reader.overflowed or (reader.fault and not reader.answered):
            raise ProviderProtocolError(reader.fault)
        if self._first_token_ms is None and reader.first_token_seen:
            self._first_token_ms = (self._router.learner.clock.monotonic_s() - self._sent_at_s) * 1000
        if reader.done:
            self._record_stream(reader, _ending(reader))

    def _record_stream(self, reader: StreamReader, error: str) -> None:
        usage, self._said = reader.usage, reader
        self._record(
            success=error in ("", CLIENT_LEFT),
            error=error,
            first_token_ms=self._first_token_ms,
            completion_id=reader.completion_id,
            prompt_tokens=usage.prompt_tokens if usage else self._prompt_tokens,
            completion_tokens=usage.completion_tokens if usage else reader.tokens_seen,
            usage_estimated=usage is None,
        )

    def _record_whole(self, facts: CompletionFacts) -> None:
        usage, self._said = facts.usage, facts
        self._record(
            success=True,
            completion_id=facts.completion_id,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
        )

    def _record(self, *, success: bool, error: str = "", **facts: Any) -> None:  # noqa: ANN401 - Router.outcome types them
        if self.outcome is not None:
            return
        learner = self._router.learner
        latency_ms = (learner.clock.monotonic_s() - self._sent_at_s) * 1000
        self.outcome = self._router.outcome(
            self._decision,
            success=success,
            latency_ms=latency_ms,
            model=self._model.model_id,
            error=error,
            fallback_from=self._fallback_from,
            **facts,
        )
        learner.leave(self.outcome)
        if self._trace is not None:
            self._trace.ended(self.outcome, response_model=self._said.model if self._said else "")


def _ending(reader: StreamReader) -> str:
    """What a stream that has ended is recorded with: "" where it is whole."""
    return "" if reader.whole else reader.fault or "stream_truncated"


def _stream_options(body: Mapping[str, Any]) -> Mapping[str, Any]:
    options = body.get("stream_options")
    return options if isinstance(options, dict) else {}


def _word(error: ProviderError) -> str:
    """A short stable word for the log; never an upstream's own text."""
    if isinstance(error, ProviderTimeout):
        return "timeout"
    if isinstance(error, ProviderProtocolError):
        return "protocol_error"
    return "unreachable"


async def _read_whole(response: ProviderResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async with aclosing(response.body) as arriving:
        async for part in arriving:
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise ProviderProtocolError("answer_too_long")
            parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _read_off(arriving: ByteStream) -> None:
    """Read the end of the body if it comes at once; what else may come after the end mark is nobody's business."""
    with suppress(TimeoutError, ProviderError):
        async with asyncio.timeout(LINGER_S):
            await anext(arriving, None)
