"""Streamed answers: usage, breaks, and callers who leave; each recorded exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from support.called import STREAMED, Called
from support.in_process import gateway_settings
from tiercel.config.settings import ServerSettings
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout, ProviderUnreachable
from tiercel.testing import Reply, completion, error_reply, stream


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Called.opened:
        router = Called.opened.pop().router
        assert not any(router.completions.in_flight.of(model.model_id) for model in router.core.catalogue)
        router.learner.close()


def events(*chunks: bytes, hangs: bool = False) -> Reply:
    """A stream of any bytes."""
    return Reply(chunks, headers={"content-type": "text/event-stream; charset=utf-8"}, hangs=hangs)


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


async def test_a_stream_is_in_flight_until_its_end() -> None:
    called = Called(stream("a", "b"))
    in_flight = called.router.completions.in_flight
    answer = await called.open(STREAMED)
    assert (in_flight.of("small"), in_flight.of("large")) == (1, 0)
    async for _ in answer.body:
        assert in_flight.of("small") == 1
    assert in_flight.of("small") == 0


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
    (events(*stream("a", done=False).chunks, b"data: " + b"x" * (5 << 20)), "event_too_long"),
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
    called = Called(events(*stream("a", done=False).chunks, error))
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


ERROR = b'data: {"error": {"message": "overloaded"}}\n\n'
PING = b": ping\n\n"
ROLE = b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
NO_BEGINNING: list[tuple[Reply, str]] = [
    (events(b"data: [DONE]\n\n"), "stream_truncated"),
    (events(ERROR), "error_event"),
    (events(PING, ERROR, hangs=True), "error_event"),
    (events(ERROR + stream("a").chunks[0], hangs=True), "error_event"),
    (events(b"data: <html>\n\n"), "malformed_event"),
    (events(b"<html>secret</html>"), "stream_truncated"),
    (events(PING, PING), "stream_truncated"),
    (events(PING, b'data: {"choices": []}\n\n'), "stream_truncated"),
    (events(*[b": " + b"x" * (1 << 20) + b"\n\n"] * 5, hangs=True), "protocol_error"),
    (Reply(stream("a").chunks), "protocol_error"),
    (Reply(stream("a").chunks, headers={}), "protocol_error"),
    (completion("whole, though a stream was asked for"), "protocol_error"),
    (Reply(stream("a").chunks, 302), "status_302"),
    (Reply((), 204), "protocol_error"),
]


@pytest.mark.parametrize(("failure", "word"), NO_BEGINNING)
async def test_a_stream_that_does_not_begin_is_followed_by_another_model(failure: Reply, word: str) -> None:
    called = Called(failure, stream("from the other"))
    answer, passed = await called.call(STREAMED)
    assert passed == b"".join(chunk for chunk in stream("from the other").chunks if b'"usage"' not in chunk)
    assert [(attempt.model, attempt.error) for attempt in answer.attempts] == [("small", word)]
    assert [(o.model, o.success, o.error) for o in called.outcomes()] == [("small", False, word), ("large", True, "")]


async def test_what_comes_before_the_first_choices_is_passed_on_with_them() -> None:
    sent = (PING, b'data: {"choices": [], "prompt_filter_results": []}\n\n', ROLE, *stream("a", usage=False).chunks)
    called = Called(events(*sent))
    _, passed = await called.call(STREAMED)
    assert passed == b"".join(sent)
    assert len(called.provider.calls) == 1


async def test_comments_without_end_are_no_answer() -> None:
    settings = gateway_settings(server=ServerSettings(timeout_s=0.01))
    called = Called(events(PING, hangs=True), stream("a"), settings=settings)
    answer, _ = await called.call(STREAMED)
    assert [(attempt.error, attempt.model) for attempt in answer.attempts] == [("timeout", "small")]
    assert called.provider.left == 1
    assert [(o.success, o.error) for o in called.outcomes()] == [(False, "timeout"), (True, "")]


async def test_an_answer_is_whole_with_its_end_mark_however_long_the_upstream_lingers() -> None:
    called = Called(events(*stream("a", "b").chunks, hangs=True))
    _, passed = await called.call(STREAMED)
    assert passed.endswith(b"data: [DONE]\n\n")
    assert called.provider.left == 1
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.error, outcome.prompt_tokens, outcome.completion_tokens) == (True, "", 10, 2)


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""], ids=["done", "finish_reason"])
async def test_a_caller_who_closes_after_the_end_has_not_left(end: bytes) -> None:
    *chunks, _ = stream("a", usage=False).chunks
    called = Called(events(*chunks, *([end] if end else []), hangs=True))
    answer = await called.open(STREAMED)
    for _ in range(len(chunks) + bool(end)):
        await anext(answer.body)
    await answer.body.aclose()
    assert [(o.success, o.error, o.completion_tokens) for o in called.outcomes()] == [(True, "", 1)]


async def test_a_fault_seen_before_the_caller_left_is_the_models() -> None:
    called = Called(events(*stream("a", done=False).chunks, ERROR, hangs=True))
    answer = await called.open(STREAMED)
    for _ in range(2):
        await anext(answer.body)
    await answer.body.aclose()
    assert [(o.success, o.error) for o in called.outcomes()] == [(False, "error_event")]


async def test_an_upstreams_connection_is_read_to_its_end_where_that_comes_at_once() -> None:
    called = Called(stream("a"))
    await called.call(STREAMED)
    assert called.provider.left == 0, "a connection closed early serves no other call"


@pytest.mark.parametrize("hanging", [Reply(hangs_before_head=True), events(PING, hangs=True)])
async def test_a_call_given_up_before_it_is_answered_has_its_outcome(hanging: Reply) -> None:
    called = Called(hanging)
    opening = asyncio.ensure_future(called.open(STREAMED))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert [(o.success, o.error) for o in called.outcomes()] == [(True, "client_left")]


async def test_the_upstreams_text_does_not_come_after_an_answer() -> None:
    called = Called(events(*stream("a", done=False).chunks, b"Traceback: secret"))
    answer = await called.open(STREAMED)
    assert b"secret" not in await anext(answer.body)
    with pytest.raises(ProviderError):
        await anext(answer.body)


async def test_closing_closes_the_providers() -> None:
    called = Called()
    await called.call()
    await called.router.completions.close()
    assert called.provider.closed
