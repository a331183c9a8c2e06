"""Reading a request's body: bounded in size and time, and strict about what is JSON."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from itertools import chain
from typing import Any, NoReturn

from tiercel.apps.gateway.errors import HttpError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

RECEIPT_S = 30.0
MAX_LEVELS = 100
MAX_HEADER_BYTES = 64 * 1024
_INDEX = "tiercel.headers"


def header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or ""."""
    value = headers(scope).get(name)
    return "" if value is None else value.decode("latin-1")


def headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name, the first of each; indexed once per request."""
    index: dict[bytes, bytes] | None = scope.get(_INDEX)
    if index is None:
        index = scope[_INDEX] = dict(reversed(scope["headers"]))
    return index


def check_method(scope: Scope, allowed: Sequence[str]) -> None:
    """Refuse another method than those with 405, which says them."""
    if scope["method"] not in allowed:
        listed = ", ".join(allowed)
        message = f"{scope['method']} is not allowed here; allowed: {listed}"
        raise HttpError(405, message, "method_not_allowed", headers={"allow": listed})


def check_headers(scope: Scope) -> None:
    """Refuse headers beyond the limit with 431, and close the connection."""
    if sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEADER_BYTES:
        message = f"the headers are longer than {MAX_HEADER_BYTES} bytes"
        raise HttpError(431, message, "headers_too_long", headers={"connection": "close"})


def check_head(scope: Scope, max_bytes: int) -> None:
    """Refuse by the headers alone: wrong content type or encoding 415, announced too long 413."""
    content_type = header(scope, b"content-type").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise HttpError(
            415, f"content-type must be application/json (found {content_type or 'none'!r})", "content_type"
        )
    encoding = header(scope, b"content-encoding").lower()
    if encoding not in ("", "identity"):
        raise HttpError(
            415, f"content-encoding {encoding!r} is not supported; send the body as it is", "content_encoding"
        )
    announced = header(scope, b"content-length")
    # compared by its digits first: a number of thousands of them would not even convert
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):
        raise too_long(max_bytes)


def too_long(max_bytes: int) -> HttpError:
    """413, and the connection closes without the rest being read."""
    return HttpError(
        413, f"the body is longer than {max_bytes} bytes", "body_too_long", headers={"connection": "close"}
    )


class ClientGoneError(Exception):
    """The client left before its request was whole: there is nobody to answer."""


async def read_body(receive: Receive, max_bytes: int, announced: str = "") -> bytes:
    """The whole body: `announced` bytes, or without such a header up to its end.

    Raises `HttpError` 413 or 408, `ClientGoneError`.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    # granian announces one message more even after the last byte; counting saves waiting for it
    whole = int(announced) if announced.isdecimal() else -1
    try:
        async with asyncio.timeout(RECEIPT_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                part = message.get("body", b"")
                more = message.get("more_body", False)
                if part:
                    size += len(part)
                    if size > max_bytes:
                        raise too_long(max_bytes)
                    parts.append(part)
                    more = more and size != whole
    except TimeoutError as error:
        raise HttpError(408, f"the body did not arrive within {RECEIPT_S:g} s", "request_timeout") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise HttpError(400, f"the key {twice[:80]!r} stands twice in one object", "invalid_json")
    return decoded


def _no_constant(name: str) -> NoReturn:
    raise HttpError(400, f"{name} is not JSON", "invalid_json")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise HttpError(400, f"the number {digits[:80]} is too large", "invalid_json")
    return number


_decode = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite).decode


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    """Decode strictly: UTF-8, no duplicate keys, finite numbers, at most 100 levels, no lone surrogates; else 400."""
    try:
        text = body.decode()
        value = _decode(text)
    except UnicodeDecodeError as error:
        raise HttpError(400, f"the body is not UTF-8 (byte {error.start})", "invalid_json") from error
    except json.JSONDecodeError as error:
        raise HttpError(400, f"the body is not JSON: {error}", "invalid_json") from error
    except ValueError as error:
        # the interpreter converts no whole number of more than some thousand digits
        raise HttpError(400, "a number in the body is too large", "invalid_json") from error
    except RecursionError as error:
        raise HttpError(400, f"the body is nested more than {MAX_LEVELS} levels", "invalid_json") from error
    # cheap bounds first: a body without that many brackets cannot be that deep, one without \ud has no surrogate
    if body.count(b"[") + body.count(b"{") > MAX_LEVELS:
        _check_levels(value)
    if b"\\ud" in body or b"\\uD" in body:
        _check_surrogates(value)
    return value


def _check_levels(value: object) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_LEVELS):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return
    raise HttpError(400, f"the body is nested more than {MAX_LEVELS} levels", "invalid_json")


def _containers(value: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any] | list[Any]]:
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield inner


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise HttpError(400, "the body holds half a surrogate pair", "invalid_json") from error
