"""Streamed answers: usage, breaks, and callers who leave; each recorded exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from support.called import STREAMED, Called
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout, ProviderUnreachable
from tiercel.testing import Reply, error_reply, stream


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Called.opened:
        Called.opened.pop().router.learner.close()


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


async def test_a_stream_that_says_nothing_but_done_is_a_failure() -> None:
    called = Called(Reply((b"data: [DONE]\n\n",)))
    with pytest.raises(ProviderError):
        await called.call(STREAMED)
    assert [(o.success, o.error) for o in called.outcomes()] == [(False, "stream_truncated")]
