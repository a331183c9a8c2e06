"""Every path a call can take ends in the right answer, and in its outcome recorded exactly once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.in_process import gateway_settings, model
from tiercel.config.settings import RouteSettings, Settings
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout, ProviderUnreachable
from tiercel.domain.events import Outcome
from tiercel.domain.request import RequestContext
from tiercel.library.router import AsyncRouter
from tiercel.services.completion import MAX_ANSWER_BYTES, AllModelsFailed, Answer
from tiercel.testing import ManualClock, Reply, ScriptedProvider, completion, error_reply, stream

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
        events, _ = self.router.store.events_after(0, 1000)
        return [event for event in events if isinstance(event, Outcome)]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Called.opened:
        Called.opened.pop().router.learner.close()


async def test_a_whole_answer() -> None:
    called = Called(completion("hello", prompt_tokens=10, completion_tokens=5))
    answer, body = await called.call()
    assert (answer.status, answer.model.model_id, answer.streaming) == (200, "small", False)
    assert json.loads(body)["choices"][0]["message"]["content"] == "hello"
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.model, outcome.completion_id) == (True, "small", "chatcmpl-1")
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (10, 5)
    assert outcome.cost_usd == pytest.approx(20 / 1e6)


async def test_the_upstream_sees_its_own_name_for_the_model_and_the_rest_unchanged() -> None:
    called = Called()
    await called.call({**BODY, "temperature": 0.25, "own_field": [1, "\u00e9"]})
    assert called.provider.calls[0].body == {
        **BODY,
        "temperature": 0.25,
        "own_field": [1, "\u00e9"],
        "model": "upstream-small",
    }


async def test_a_stream() -> None:
    called = Called(stream("a", "b"))
    answer = await called.open(STREAMED)
    called.clock.advance(2.0)
    passed = b"".join([chunk async for chunk in answer.body])
    assert answer.streaming
    assert passed == b"".join(chunk for chunk in stream("a", "b").chunks if b'"usage"' not in chunk)
    assert called.provider.calls[0].body["stream_options"] == {"include_usage": True}
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.prompt_tokens, outcome.completion_tokens) == (True, 10, 2)
    assert (outcome.first_token_ms, outcome.latency_ms) == (0.0, 2000.0)
    assert not outcome.usage_estimated


async def test_usage_is_passed_on_to_who_asked_for_it() -> None:
    called = Called(stream("a"))
    _, passed = await called.call({**STREAMED, "stream_options": {"include_usage": True, "other": 1}})
    assert passed == b"".join(stream("a").chunks)
    assert called.provider.calls[0].body["stream_options"] == {"include_usage": True, "other": 1}


async def test_usage_that_is_not_reported_is_counted() -> None:
    called = Called(stream("a", "b", "c", usage=False))
    await called.call(STREAMED)
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.prompt_tokens, outcome.completion_tokens) == (True, None, 3)
    assert outcome.usage_estimated


FAILURES: list[tuple[Reply, str]] = [
    (Reply(refuses=ProviderUnreachable()), "unreachable"),
    (Reply(refuses=ProviderTimeout()), "timeout"),
    (Reply(breaks=ProviderTimeout()), "timeout"),
    (error_reply(500), "status_500"),
    (error_reply(429), "status_429"),
    (error_reply(401), "status_401"),
    (error_reply(404), "status_404"),
    (Reply((b"<html>",)), "protocol_error"),
    (Reply((b'{"choices": []}',)), "protocol_error"),
    (Reply((b'{"choices": [{}]}',), breaks=ProviderProtocolError()), "protocol_error"),
]


@pytest.mark.parametrize(("failure", "word"), FAILURES)
async def test_a_failure_before_the_first_byte_is_followed_by_another_model(failure: Reply, word: str) -> None:
    called = Called(failure, completion("from the other"))
    answer, body = await called.call()
    assert b"from the other" in body
    assert (answer.decision.model, answer.model.model_id) == ("small", "large")
    assert [(attempt.model, attempt.error) for attempt in answer.attempts] == [("small", word)]
    failed, succeeded = called.outcomes()
    assert (failed.model, failed.success, failed.error, failed.fallback_from) == ("small", False, word, "")
    assert (succeeded.model, succeeded.success, succeeded.fallback_from) == ("large", True, "small")
    assert called.router.core.find(answer.decision.id)[1] == "large", "feedback is about the model that answered"


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Reply(refuses=ProviderUnreachable()), "unreachable"),
        (error_reply(503), "status_503"),
        (stream(breaks=ProviderTimeout(), done=False), "timeout"),
        (stream(done=False), "stream_truncated"),
    ],
)
async def test_a_stream_that_fails_before_its_first_byte_is_followed_by_another_model(
    failure: Reply, word: str
) -> None:
    called = Called(failure, stream("a"))
    answer, passed = await called.call(STREAMED)
    assert answer.model.model_id == "large"
    assert b'"a"' in passed
    assert [(o.model, o.success, o.error) for o in called.outcomes()] == [("small", False, word), ("large", True, "")]


@pytest.mark.parametrize(("failure", "word"), FAILURES)
async def test_both_failed(failure: Reply, word: str) -> None:
    called = Called(error_reply(500), failure)
    with pytest.raises(AllModelsFailed) as failed:
        await called.call()
    assert str(failed.value) == f"no model answered (small: status_500, large: {word})"
    assert failed.value.timed_out is (word == "timeout")
    assert [outcome.success for outcome in called.outcomes()] == [False, False]
    assert len(called.provider.calls) == 2, "one fallback and no more"


async def test_a_model_asked_for_by_name_has_no_fallback() -> None:
    called = Called(error_reply(500))
    with pytest.raises(AllModelsFailed):
        await called.call(model="large")
    assert [(o.model, o.success) for o in called.outcomes()] == [("large", False)]


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
async def test_the_callers_fault_is_passed_on_and_held_against_no_model(status: int, body: dict[str, Any]) -> None:
    called = Called(error_reply(status, "max_tokens is too large"))
    answer, passed = await called.call(body)
    assert (answer.status, answer.streaming) == (status, False)
    assert json.loads(passed)["error"]["message"] == "max_tokens is too large"
    assert called.outcomes() == []
    assert len(called.provider.calls) == 1


BROKEN: list[tuple[Reply, str]] = [
    (stream("a", "b", done=False), "stream_truncated"),
    (stream("a", "b", done=False, breaks=ProviderTimeout()), "timeout"),
    (stream("a", "b", done=False, breaks=ProviderProtocolError()), "protocol_error"),
    (Reply((*stream("a", done=False).chunks, b"data: " + b"x" * (5 << 20))), "event_too_long"),
]


@pytest.mark.parametrize(("broken", "word"), BROKEN)
async def test_a_stream_that_breaks_ends_with_an_error_and_is_recorded_once(broken: Reply, word: str) -> None:
    called = Called(broken)
    answer = await called.open(STREAMED)
    with pytest.raises(ProviderError):
        async for _ in answer.body:
            pass
    await answer.body.aclose()
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.error) == (False, word)
    assert len(called.provider.calls) == 1, "after the first byte there is no fallback"


async def test_an_error_event_ends_the_answer_as_the_upstream_sent_it() -> None:
    error = b'data: {"error": {"message": "overloaded"}}\n\n'
    called = Called(Reply((*stream("a", done=False).chunks, error)))
    _, passed = await called.call(STREAMED)
    assert passed.endswith(error)
    assert [(o.success, o.error) for o in called.outcomes()] == [(False, "error_event")]


async def test_a_caller_who_leaves_ends_the_call_and_is_no_failure_of_the_model() -> None:
    called = Called(stream("a", "b", done=False, hangs=True))
    answer = await called.open(STREAMED)
    await anext(answer.body)
    await anext(answer.body)
    await answer.body.aclose()
    assert called.provider.left == 1
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.error, outcome.completion_tokens) == (True, "client_left", 2)


async def test_a_caller_who_leaves_before_reading_anything() -> None:
    called = Called(stream("a", "b"))
    answer = await called.open(STREAMED)
    await answer.body.aclose()
    assert called.provider.left == 1
    assert [outcome.error for outcome in called.outcomes()] == ["client_left"]


async def test_a_cancelled_reader_ends_the_call() -> None:
    called = Called(stream("a", done=False, hangs=True))
    answer = await called.open(STREAMED)

    async def read_on() -> None:
        async for _ in answer.body:
            pass

    reading = asyncio.ensure_future(read_on())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert called.provider.left == 1
    assert len(called.outcomes()) == 1


async def test_an_answer_without_end_is_not_kept() -> None:
    piece = b" " * (1 << 20)
    called = Called(Reply((piece,) * (MAX_ANSWER_BYTES // len(piece) + 1)))
    with pytest.raises(AllModelsFailed):
        await called.call(model="small")
    assert called.provider.left == 1


async def test_a_model_without_a_provider_is_passed_over() -> None:
    other = ScriptedProvider(completion("unused"))
    called = Called(providers={"another": other})
    with pytest.raises(AllModelsFailed, match="small: no_provider, large: no_provider"):
        await called.call()
    assert other.calls == []


ANY_REPLY = st.sampled_from(
    [*(reply for reply, _ in FAILURES), *(reply for reply, _ in BROKEN[:3]), stream("a", "b"), completion()]
)


@given(script=st.lists(ANY_REPLY, min_size=1, max_size=3), streamed=st.booleans(), read=st.integers(0, 5))
async def test_one_outcome_per_call_that_was_not_the_callers_fault(
    *, script: Sequence[Reply], streamed: bool, read: int
) -> None:
    called = Called(*script)
    try:
        answer = await called.open(STREAMED if streamed else BODY)
        for _ in range(read):
            await anext(answer.body, None)
        await answer.body.aclose()
    except ProviderError:
        pass
    models = [outcome.model for outcome in called.outcomes()]
    assert models == ["small", "large"][: len(called.provider.calls)]


@pytest.mark.parametrize(
    ("tiers", "chosen", "fallback"),
    [
        (("cheap", "capable", "premium"), "cheap", "capable"),
        (("cheap", "capable", "premium"), "capable", "premium"),
        (("cheap", "capable", "premium"), "premium", "capable"),
        (("cheap", "premium"), "cheap", "premium"),
    ],
)
async def test_the_fallback_is_the_nearest_tier_upwards_first(tiers: Sequence[str], chosen: str, fallback: str) -> None:
    models = [model(f"m-{tier}", tier) for tier in tiers]
    route = RouteSettings(policy="fixed", model=f"m-{chosen}")
    called = Called(error_reply(500), completion(), settings=gateway_settings(models, routes=(route,)))
    answer, _ = await called.call()
    assert (answer.decision.tier, answer.model.tier) == (chosen, fallback)
