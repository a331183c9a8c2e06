from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.apps.gateway import body
from tiercel.apps.gateway.body import (
    MAX_HEADER_BYTES,
    MAX_LEVELS,
    ClientGoneError,
    Message,
    check_head,
    check_headers,
    check_method,
    parse_json,
    read_body,
)
from tiercel.apps.gateway.errors import HttpError


def scope(method: str = "POST", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"method": method, "headers": pairs}


TEXT = st.text(st.characters(codec="utf-8"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(value=JSON_VALUES, ascii_only=st.booleans())
def test_what_is_json_is_read_as_it_is(*, value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(raw=st.binary())
def test_whatever_arrives_is_json_or_400(raw: bytes) -> None:
    status = 200
    try:
        parse_json(raw)
    except HttpError as error:
        status = error.status
    assert status in (200, 400)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"a": 1}x',
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "a": 2}}]',
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b"1e400",
        b"[-1e999]",
        b"1" * 5000,
        b"'a'",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'["\\uD83D!"]',
        b"[" * (MAX_LEVELS + 1) + b"]" * (MAX_LEVELS + 1),
        b"[" * (MAX_LEVELS + 1) + b"1" + b"]" * (MAX_LEVELS + 1),
        b'{"a":' * (MAX_LEVELS + 1) + b"{}" + b"}" * (MAX_LEVELS + 1),
        b"[" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_not_strictly_json_is_400(raw: bytes) -> None:
    with pytest.raises(HttpError) as refused:
        parse_json(raw)
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MAX_LEVELS + b"]" * MAX_LEVELS,
        b"[" * MAX_LEVELS + b"1" + b"]" * MAX_LEVELS,
        b"[" + b"[]," * 500 + b"[]]",
        b'"\\ud83d\\ude00"',
        b'"\\\\ud800"',
        b'" \\u0000"',
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_allowed_just_so(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


@pytest.mark.parametrize(
    ("given_headers", "status"),
    [
        ({"content_type": "application/json"}, None),
        ({"content_type": "Application/JSON; charset=utf-8"}, None),
        ({"content_type": "application/problem+json", "content_encoding": "identity"}, None),
        ({"content_type": "application/json", "content_length": "100"}, None),
        ({}, 415),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "application/json", "content_encoding": "gzip"}, 415),
        ({"content_type": "application/json", "content_length": "101"}, 413),
        ({"content_type": "application/json", "content_length": "9" * 5000}, 413),
        ({"content_type": "application/json", "content_length": "\u00b2"}, None),
    ],
)
def test_the_head_alone_can_refuse(given_headers: dict[str, str], status: int | None) -> None:
    if status is None:
        check_head(scope(**given_headers), 100)
        return
    with pytest.raises(HttpError) as refused:
        check_head(scope(**given_headers), 100)
    assert refused.value.status == status


def test_another_method_is_told_the_allowed_ones() -> None:
    with pytest.raises(HttpError) as refused:
        check_method(scope("PATCH"), ("GET", "POST"))
    assert (refused.value.status, refused.value.headers) == (405, {"allow": "GET, POST"})


def test_headers_beyond_the_limit_are_431_and_the_connection_closes() -> None:
    check_headers(scope(x="a" * (MAX_HEADER_BYTES - 1)))
    with pytest.raises(HttpError) as refused:
        check_headers(scope(x="a" * MAX_HEADER_BYTES))
    assert (refused.value.status, refused.value.headers) == (431, {"connection": "close"})


class Arriving:
    """A body that arrives in parts; `ends` is what comes after them."""

    def __init__(self, *parts: bytes, ends: str = "whole") -> None:
        self.messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if ends == "whole":
            self.messages.append({"type": "http.request", "body": b""})
        elif ends == "left":
            self.messages.append({"type": "http.disconnect"})
        self.asked = 0

    async def __call__(self) -> Message:
        self.asked += 1
        return self.messages.pop(0)


async def test_a_body_in_parts() -> None:
    assert await read_body(Arriving(b"ab", b"", b"c"), 3) == b"abc"
    assert await read_body(Arriving(), 3) == b""


async def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    arriving = Arriving(b"ab", b"cd", b"ef")
    with pytest.raises(HttpError) as refused:
        await read_body(arriving, 3)
    assert (refused.value.status, refused.value.headers) == (413, {"connection": "close"})
    assert arriving.asked == 2


async def test_a_client_that_leaves_in_the_middle() -> None:
    with pytest.raises(ClientGoneError):
        await read_body(Arriving(b"ab", ends="left"), 10)


async def test_a_body_that_does_not_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "RECEIPT_S", 0)

    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    with pytest.raises(HttpError) as refused:
        await read_body(nothing, 10)
    assert refused.value.status == 408
