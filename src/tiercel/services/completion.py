"""One chat completion from question to recorded outcome: decide, call, fall back once, relay, record.

    Completions.open -> Answer (status, headers, first bytes known) -> Answer.body -> outcome recorded

Until the first byte has gone to the caller a failed call is followed by one to the next eligible model. From then on a
failure ends the answer, and is recorded once. A caller who leaves ends the upstream call; that is no failure of the
model. Token usage is the upstream's, or where a stream broke, what was counted as it passed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tiercel.core.chat_protocol import CompletionFacts, StreamReader, read_completion
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout
from tiercel.domain.events import CLIENT_LEFT
from tiercel.domain.request import RequestContext
from tiercel.ports import Provider, ProviderResponse
from tiercel.services.router import Router
from tiercel.services.routes import Plan

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CALLERS_FAULT = frozenset({400, 405, 406, 409, 410, 411, 413, 414, 415, 422, 431})
"""Statuses that say the request is wrong: passed on, neither retried nor held against the model."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Attempt:
    """One model call that failed: which model, and a short stable word for why."""

    model: str
    error: str
    status: int = 0


class AllModelsFailed(ProviderError):
    """No model answered."""

    def __init__(self, decision: Decision, attempts: tuple[Attempt, ...]) -> None:
        self.decision = decision
        self.attempts = attempts
        listed = ", ".join(f"{attempt.model}: {attempt.error}" for attempt in attempts)
        super().__init__(f"no model answered ({listed})")

    @property
    def timed_out(self) -> bool:
        """Whether the last attempt ran out of time."""
        return bool(self.attempts) and self.attempts[-1].error == "timeout"


@dataclass(slots=True)
class Answer:
    """An upstream's answer under way. Iterate `body` to its end, or `aclose` it, for the outcome to be recorded."""

    decision: Decision
    model: ModelProfile
    status: int
    headers: Mapping[str, str]
    streaming: bool
    body: Relay
    attempts: tuple[Attempt, ...] = field(default=())


class Completions:
    """Calls models on behalf of callers, and records what the calls did."""

    def __init__(self, router: Router, providers: Mapping[str, Provider], *, timeout_s: float = 120.0) -> None:
        self._router = router
        self._providers = providers
        self._timeout_s = timeout_s
        self._clock = router.learner.clock

    async def open(
        self,
        body: dict[str, Any],
        request: RequestContext,
        *,
        requested_model: str = "",
        plan: Plan | None = None,
        request_id: str = "",
    ) -> Answer:
        """Decide and call until an answer has begun.

        `body` is the caller's request without what is tiercel's own; `requested_model` is a catalogue id, or "" to let
        the policy choose. Raises `NoEligibleModel`, `UnknownModel`, `AllModelsFailed`.
        """
        if requested_model:
            decision = self._router.requested(requested_model, request)
        else:
            decision = self._router.decide(request, request_id=request_id, plan=plan)
        attempts: list[Attempt] = []
        for model in self._candidates(decision, may_fall_back=not requested_model):
            call = _Call(
                self._router,
                decision,
                model,
                fallback_from=attempts[0].model if attempts else "",
                sent_at_s=self._clock.monotonic_s(),
                prompt_tokens=request.prompt_tokens,
            )
            provider = self._providers.get(model.provider)
            if provider is None:
                attempts.append(call.failed("no_provider"))
                continue
            try:
                response = await self._send(body, model, provider)
                if response.status >= 400 and response.status not in _CALLERS_FAULT:
                    await _close(response)
                    attempts.append(call.failed(f"status_{response.status}", response.status))
                    continue
                return await call.answer(response, body, tuple(attempts))
            except ProviderError as error:
                attempts.append(call.failed(_word(error)))
        raise AllModelsFailed(decision, tuple(attempts))

    def _candidates(self, decision: Decision, *, may_fall_back: bool) -> Iterator[ModelProfile]:
        """The chosen model, and when that has failed the one to fall back to: the nearest tier's best."""
        catalogue = self._router.catalogue
        chosen = catalogue.get(decision.model)
        if chosen is not None:
            yield chosen
        others = [c for c in decision.proposal.candidates if not c.excluded and c.model_id != decision.model]
        if may_fall_back and others:
            ranks = {tier: rank for rank, tier in enumerate(catalogue.tiers)}
            here = ranks.get(decision.tier, 0)
            # nearest tier upwards first: a fallback must not answer worse where it can help it
            best = min(
                others,
                key=lambda c: (ranks.get(c.tier, 0) < here, abs(ranks.get(c.tier, 0) - here), -(c.score or 0.0)),
            )
            fallback = catalogue.get(best.model_id)
            if fallback is not None:
                yield fallback

    async def _send(self, body: dict[str, Any], model: ModelProfile, provider: Provider) -> ProviderResponse:
        sent = {**body, "model": model.upstream}
        if body.get("stream"):
            options = body.get("stream_options")
            sent["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return await provider.chat(_encode(sent), stream=bool(body.get("stream")), timeout_s=self._timeout_s)


class _Call:
    """One call to one model, from being sent to its outcome."""

    __slots__ = ("_decision", "_fallback_from", "_model", "_prompt_tokens", "_recorded", "_router", "_sent_at_s")

    def __init__(
        self,
        router: Router,
        decision: Decision,
        model: ModelProfile,
        *,
        fallback_from: str,
        sent_at_s: float,
        prompt_tokens: int,
    ) -> None:
        self._router = router
        self._decision = decision
        self._model = model
        self._fallback_from = fallback_from
        self._sent_at_s = sent_at_s
        self._prompt_tokens = prompt_tokens or None  # estimated, for a stream that ends without its usage
        self._recorded = False

    def failed(self, error: str, status: int = 0) -> Attempt:
        """Record a failure before the first byte."""
        self._record(success=False, error=error)
        return Attempt(self._model.model_id, error, status)

    async def answer(self, response: ProviderResponse, body: dict[str, Any], attempts: tuple[Attempt, ...]) -> Answer:
        """The answer that has begun. Raises `ProviderError` if it breaks before its first byte."""
        streaming = bool(body.get("stream")) and response.status < 400
        if streaming:
            options = body.get("stream_options")
            asked = isinstance(options, dict) and options.get("include_usage")
            reader = StreamReader(hide_usage=not asked)
            chunks = self._stream(response, reader)
            first = await anext(chunks, None)
            if first is None:
                raise ProviderProtocolError("the stream ended before it began")
            relayed = Relay(first, chunks)
        else:
            whole = await _read_whole(response)
            if response.status < 400:
                facts = read_completion(whole)
                if facts.fault:
                    raise ProviderProtocolError(facts.fault)
                self._record_whole(facts)
            relayed = Relay(whole)
        return Answer(self._decision, self._model, response.status, response.headers, streaming, relayed, attempts)

    async def _stream(self, response: ProviderResponse, reader: StreamReader) -> AsyncGenerator[bytes]:
        """Relay events as they come; whatever ends this, the outcome is recorded once."""
        clock = self._router.learner.clock
        first_token_ms: float | None = None
        error = CLIENT_LEFT
        try:
            async with aclosing(response.body) as arriving:
                async for arrived in arriving:
                    passed = reader.feed(arrived)
                    if reader.overflowed:
                        raise ProviderProtocolError("an event of the stream is too long")
                    if first_token_ms is None and reader.first_token_seen:
                        first_token_ms = (clock.monotonic_s() - self._sent_at_s) * 1000
                    if passed:
                        yield passed
            rest = reader.end()
            error = "" if reader.whole else reader.fault or "stream_truncated"
            if rest:
                yield rest
            if error == "stream_truncated":
                raise ProviderProtocolError("the stream ended before its end")
        except ProviderError as broken:
            error = reader.fault or (_word(broken) if error == CLIENT_LEFT else error)
            raise
        finally:
            self._record_stream(reader, first_token_ms, error)

    def _record_stream(self, reader: StreamReader, first_token_ms: float | None, error: str) -> None:
        usage = reader.usage
        self._record(
            success=error in ("", CLIENT_LEFT),
            error=error,
            first_token_ms=first_token_ms,
            completion_id=reader.completion_id,
            prompt_tokens=usage.prompt_tokens if usage else self._prompt_tokens,
            completion_tokens=usage.completion_tokens if usage else reader.tokens_seen,
            usage_estimated=usage is None,
        )

    def _record_whole(self, facts: CompletionFacts) -> None:
        usage = facts.usage
        self._record(
            success=True,
            completion_id=facts.completion_id,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
        )

    def _record(self, *, success: bool, error: str = "", **facts: Any) -> None:  # noqa: ANN401 - Router.outcome types them
        if self._recorded:
            return
        self._recorded = True
        learner = self._router.learner
        latency_ms = (learner.clock.monotonic_s() - self._sent_at_s) * 1000
        outcome = self._router.outcome(
            self._decision,
            success=success,
            latency_ms=latency_ms,
            model=self._model.model_id,
            error=error,
            fallback_from=self._fallback_from,
            **facts,
        )
        learner.leave(outcome)


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


async def _close(response: ProviderResponse) -> None:
    await response.body.aclose()


class Relay:
    """The first chunk, already read, and then the rest. Closing it closes the rest, whether or not it was begun."""

    __slots__ = ("_first", "_rest")

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes] | None = None) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __aiter__(self) -> Relay:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        if self._rest is None:
            raise StopAsyncIteration
        return await anext(self._rest)

    async def aclose(self) -> None:
        """End the upstream call if it is still under way, and record what it did."""
        if self._rest is not None:
            await self._rest.aclose()
