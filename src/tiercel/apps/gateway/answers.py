"""What every answer has in common: the request's id, names that fit a header, and how an error is sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from tiercel.apps.gateway.body import Scope, Send, header
from tiercel.apps.gateway.errors import answer as error_answer
from tiercel.services.ids import new_request_id

GUARDS: Mapping[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""What an answer says to a browser where it says nothing else: run nothing, frame nothing, keep nothing."""

_encode = msgspec.json.Encoder().encode


def json_answer(content: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(_encode(content), status, media_type="application/json")


def guarded(head: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers with the `GUARDS` that are not among them."""
    present = {name for name, _ in head}
    return [*head, *(guard for guard in GUARDS.items() if guard[0] not in present)]


def request_id_of(scope: Scope) -> str:
    """The client's own x-request-id where it is printable ASCII of at most 128 characters, else a new one."""
    given = header(scope, b"x-request-id")
    if given and len(given) <= 128 and given.isascii() and given.isprintable():
        return given
    return new_request_id()


def header_value(name: str) -> bytes:
    """A name as a header may carry it: percent-encoded where it is not plain ASCII."""
    return name.encode() if name.isascii() and name.isprintable() else quote(name).encode()


async def send_error(error: Exception, request_id: str, send: Send) -> None:
    """Answer with an error."""
    answered = error_answer(error, request_id)
    head = [(name.encode(), value.encode()) for name, value in answered.headers.items()]
    head += [(b"content-length", str(len(answered.body)).encode()), (b"x-request-id", request_id.encode())]
    await send({"type": "http.response.start", "status": answered.status, "headers": guarded(head)})
    await send({"type": "http.response.body", "body": answered.body})
