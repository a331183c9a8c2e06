from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.chat_protocol import ReadUsage, StreamReader, read_completion
from tiercel.testing import completion, stream

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "choices": [], **fields}).encode() + b"\n\n"


def content(text: str | None, finish: str | None = None, **fields: object) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **fields)


def read(*chunks: bytes, hide_usage: bool = True) -> tuple[StreamReader, bytes]:
    reader = StreamReader(hide_usage=hide_usage)
    passed = b"".join(reader.feed(chunk) for chunk in chunks) + reader.end()
    return reader, passed


def facts(reader: StreamReader) -> tuple[Any, ...]:
    usage = reader.usage
    return (
        reader.completion_id,
        (usage.prompt_tokens, usage.completion_tokens) if usage else None,
        reader.tokens_seen,
        reader.first_token_seen,
        reader.whole,
        reader.fault,
    )


def test_a_whole_answer_is_read() -> None:
    found = read_completion(completion("hello", prompt_tokens=4, completion_tokens=5).chunks[0])
    assert (found.completion_id, found.fault) == ("chatcmpl-1", "")
    assert found.usage == ReadUsage(4, 5)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "malformed_answer"),
        (b"<html>", "malformed_answer"),
        (b'{"choices": [', "malformed_answer"),
        (b"[]", "malformed_answer"),
        (b"\xff", "malformed_answer"),
        (b"{}", "malformed_answer"),
        (b'{"choices": []}', "empty_choices"),
        (b'{"choices": 1, "usage": null}', "malformed_answer"),
        (b'{"error": {"message": "overloaded"}}', "malformed_answer"),
        (b'{"choices": [{}], "usage": null, "unknown": [1]}', ""),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_not_raised(body: bytes, fault: str) -> None:
    assert read_completion(body).fault == fault


@pytest.mark.parametrize(
    "tokens", ["null", '"12"', "12.5", "-1", "true", "[]", "1e13", "1e999", "1" + "0" * 400, "1" + "0" * 5000]
)
def test_usage_that_cannot_be_is_unknown_and_no_fault(tokens: str) -> None:
    usage = f'{{"prompt_tokens": {tokens}, "completion_tokens": 1}}'
    found = read_completion(f'{{"id": "c", "choices": [{{}}], "usage": {usage}}}'.encode())
    assert (found.completion_id, found.usage, found.fault) == ("c", None, "")
    reader, passed = read(content("a", "stop"), f'data: {{"choices": [], "usage": {usage}}}\n\n'.encode())
    assert (reader.usage, reader.whole, passed) == (None, True, content("a", "stop"))


@pytest.mark.parametrize("usage", ["null", "[]", "{}", '"7"', '{"prompt_tokens": 1}'])
def test_no_usage_is_unknown_usage(usage: str) -> None:
    found = read_completion(f'{{"choices": [{{}}], "usage": {usage}}}'.encode())
    assert (found.usage, found.fault) == (None, "")


@pytest.mark.parametrize("completion_id", ["null", "7", "[]", '""', '"' + "x" * 257 + '"', r'"\u0000"'])
def test_an_id_that_is_no_name_is_none_and_no_fault(completion_id: str) -> None:
    answer = f'{{"id": {completion_id}, "choices": [{{"delta": {{"content": "a"}}, "finish_reason": "stop"}}]}}'
    found = read_completion(answer.encode())
    reader, _ = read(f"data: {answer}\n\n".encode())
    assert (found.completion_id, found.fault) == ("", "")
    assert (reader.completion_id, reader.whole) == ("", True)


def test_a_figure_written_as_a_fraction_may_be_whole() -> None:
    body = b'{"choices": [{}], "usage": {"prompt_tokens": 12.0, "completion_tokens": 0}}'
    assert read_completion(body).usage == ReadUsage(12, 0)


def test_usage_that_was_not_asked_for_is_kept_back() -> None:
    sent = stream("a", "b").chunks
    reader, passed = read(*sent)
    assert passed == b"".join(chunk for chunk in sent if b'"usage"' not in chunk)
    assert facts(reader) == ("chatcmpl-1", (10, 2), 2, True, True, "")


def test_usage_that_was_asked_for_is_passed_on() -> None:
    sent = stream("a", "b").chunks
    assert read(*sent, hide_usage=False)[1] == b"".join(sent)


def test_usage_in_an_event_with_choices_is_read_and_the_event_passed_on() -> None:
    last = content(None, "stop", usage=USAGE)
    reader, passed = read(content("a"), last, b"data: [DONE]\n\n")
    assert last in passed
    assert reader.usage == ReadUsage(7, 3)


def test_tokens_are_counted_where_no_usage_is_reported() -> None:
    reader, _ = read(content("a"), content("b"), content("c"), content(None, "stop"), b"data: [DONE]\n\n")
    assert (reader.usage, reader.tokens_seen) == (None, 3)


@pytest.mark.parametrize(
    ("chunks", "whole"),
    [
        ([content("a"), content(None, "stop")], True),
        ([content("a"), b"data: [DONE]\n\n"], True),
        ([content("a"), b"data: [DONE]"], True),
        ([content("a"), b"data:[DONE]\n\n"], True),
        ([content("a")], False),
        ([content("a"), b'data: {"choi'], False),
        ([], False),
    ],
)
def test_whether_a_stream_came_to_its_end(*, chunks: list[bytes], whole: bool) -> None:
    assert read(*chunks)[0].whole is whole


@pytest.mark.parametrize(
    ("chunk", "fault"),
    [
        (b"data: {not json}\n\n", "malformed_event"),
        (b"data: \xff\n\n", "malformed_event"),
        (event(error={"message": "overloaded"}), "error_event"),
    ],
)
def test_a_faulty_event_is_passed_on_and_remembered(chunk: bytes, fault: str) -> None:
    reader, passed = read(chunk, b"data: [DONE]\n\n")
    assert chunk in passed
    assert (reader.fault, reader.whole) == (fault, False)


@pytest.mark.parametrize(
    ("first", "answered"),
    [
        (content("a"), True),
        (content(None), True),
        (event(), False),
        (b'data: {"choices": null}\n\n', False),
        (b": ping\n\n", False),
        (b"data: <html>\n\n", False),
        (event(error={"message": "overloaded"}) + content("a"), False),
    ],
)
def test_an_answer_begins_with_choices(*, first: bytes, answered: bool) -> None:
    reader = StreamReader(hide_usage=True)
    reader.feed(first)
    assert reader.answered is answered


@pytest.mark.parametrize(
    "rest", [b"<html>secret</html>", b"data: secret", b'data: {"choi', b": ping", b"\n", b"event: x"]
)
def test_what_is_left_is_passed_on_only_where_it_is_an_event(rest: bytes) -> None:
    assert read(content("a"), content("b"), rest)[1] == content("a") + content("b")
    last = content("c").strip()
    assert read(content("a"), last)[1] == content("a") + last + b"\n\n"


def test_an_error_after_the_first_token_is_seen() -> None:
    reader, _ = read(content("a"), content("b"), event(error={"message": "overloaded"}))
    assert reader.fault == "error_event"


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda event: b"event: message\n" + event,
        lambda event: b"id: 7\n" + event,
        lambda event: b"\n" + event,
        lambda event: event.replace(b"\n", b"\r\n"),
        lambda event: b": a comment\n\n" + event,
    ],
)
def test_other_fields_and_comments_do_not_hide_the_data(wrapped: Callable[[bytes], bytes]) -> None:
    reader, _ = read(*(wrapped(e) for e in (content("a"), content(None, "stop"), event(usage=USAGE))))
    assert facts(reader) == ("c1", (7, 3), 1, True, True, "")


def test_an_event_without_end_is_not_held_for_ever() -> None:
    reader = StreamReader(hide_usage=True)
    piece = b"x" * (1 << 20)
    for _ in range(6):
        assert reader.feed(piece) == b""
        assert len(reader._rest) <= StreamReader.MAX_EVENT_BYTES
    assert (reader.overflowed, reader.fault) == (True, "event_too_long")


HALF = b"data: half an ev"
EVENTS = st.lists(
    st.sampled_from(
        [
            content("a"),
            content("\u00e9\n\n"),
            content(None, "stop"),
            content("x", tool_calls=None),
            event(usage=USAGE),
            event(usage=None),
            content("y", usage=USAGE),
            b": comment\n\n",
            b"event: ping\ndata: {}\n\n",
            b"data: [DONE]\n\n",
            content("a").replace(b"\n", b"\r\n"),
            b"\n\n",
            HALF,
        ]
    ),
    max_size=12,
)


@given(events=EVENTS, cuts=st.lists(st.integers(0, 2000), max_size=20), hide_usage=st.booleans())
def test_where_chunks_begin_and_end_does_not_matter(*, events: list[bytes], cuts: list[int], hide_usage: bool) -> None:
    sent = b"".join(events)
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    pieces = [sent[a:b] for a, b in pairwise(places)]
    in_one, passed_in_one = read(sent, hide_usage=hide_usage)
    in_pieces, passed_in_pieces = read(*pieces, hide_usage=hide_usage)
    assert facts(in_pieces) == facts(in_one)
    assert passed_in_pieces == passed_in_one


@given(events=EVENTS)
def test_nothing_but_usage_is_kept_back(events: list[bytes]) -> None:
    sent = b"".join(event for event in events if event != HALF)
    assert read(sent, hide_usage=False)[1] == sent.replace(b"\r\n", b"\n")
