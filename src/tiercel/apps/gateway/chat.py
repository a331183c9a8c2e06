"""The hot path: POST /v1/chat/completions, on raw ASGI.

    read body -> parse -> context -> Completions.open (decide, call, fall back) -> head with the decision -> relay

The body is read with the standard library's decoder, which alone can refuse duplicate keys; what is sent on is encoded
anew, so an upstream sees exactly what was checked.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from tiercel.apps.gateway.body import ClientGoneError, Receive, Scope, Send, check_head, header, parse_json, read_body
from tiercel.apps.gateway.context import FIELDS, read_context
from tiercel.apps.gateway.errors import HttpError, invalid
from tiercel.apps.gateway.errors import answer as error_answer
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.errors import Problem, ProviderError, UnknownModel
from tiercel.domain.request import RequestContext
from tiercel.services.completion import Answer
from tiercel.services.intake import metadata_problems
from tiercel.services.routes import Plan

AUTO = "auto"
_AUTO_ROUTE = "auto:"


async def chat(scope: Scope, receive: Receive, send: Send, state: GatewayState) -> None:
    """Answer one chat completion; every error is answered in the shape OpenAI clients read."""
    request_id = request_id_of(scope)
    try:
        limit = state.settings.server.max_body_bytes
        check_head(scope, limit)
        raw = await read_body(receive, limit)
        body = parse_json(raw)
        check_chat(body)
        metadata = body.get("metadata") or {}
        request = read_context(scope, metadata, len(raw))
        if metadata and not state.settings.server.forward_metadata:
            del body["metadata"]
        elif metadata:
            body["metadata"] = {key: value for key, value in metadata.items() if key not in FIELDS}
        opened = await _open(body, request, request_id, state)
    except ClientGoneError:
        return
    except Exception as error:  # noqa: BLE001 - the edge of the process: whatever happened, the client gets an answer
        await send_error(error, request_id, send)
        return
    await _relay(opened, request_id, receive, send)


def request_id_of(scope: Scope) -> str:
    """The client's own x-request-id where it is printable ASCII of at most 128 characters, else a new one."""
    given = header(scope, b"x-request-id")
    if given and len(given) <= 128 and given.isascii() and given.isprintable():
        return given
    return f"req_{secrets.token_hex(12)}"


def check_chat(body: object) -> None:
    """The fields tiercel itself relies on; the rest is the upstream's to judge. Raises 422."""
    if not isinstance(body, dict):
        raise invalid([Problem("", "the body must be a JSON object", type(body).__name__, "type")])
    problems: list[Problem] = []
    model, messages, metadata = body.get("model"), body.get("messages"), body.get("metadata")
    if not isinstance(model, str) or not model:
        problems.append(_wrong("model", "must be a string: a catalogue id or 'auto'", model))
    if not isinstance(messages, list) or not messages:
        problems.append(_wrong("messages", "must be a list with at least one message", messages))
    else:
        problems += [
            _wrong(f"messages[{i}]", "must be an object with a role", message)
            for i, message in enumerate(messages)
            if not isinstance(message, dict) or not isinstance(message.get("role"), str)
        ]
    if not isinstance(body.get("stream", False), bool | None):
        problems.append(_wrong("stream", "must be true or false", body["stream"]))
    if metadata is not None:
        wrong = [_wrong("metadata", "must be an object", metadata)]
        problems += metadata_problems(metadata) if isinstance(metadata, dict) else wrong
    if problems:
        raise invalid(problems)


def _wrong(path: str, message: str, found: object) -> Problem:
    return Problem(path, message, repr(found)[:80], "missing" if found is None else "type")


async def _open(body: dict[str, Any], request: RequestContext, request_id: str, state: GatewayState) -> Answer:
    name: str = body["model"]
    router = state.router.core
    requested, plan = name, None
    if name == AUTO or name.startswith(_AUTO_ROUTE):
        requested, plan = "", _plan(name, state)
    elif router.catalogue.get(name) is None:
        raise UnknownModel(name)
    completions = state.router.completions
    return await completions.open(body, request, requested_model=requested, plan=plan, request_id=request_id)


def _plan(name: str, state: GatewayState) -> Plan | None:
    """The plan of "auto:<route>", by the route's name, else by a "workflow/stage" it would match; None for "auto"."""
    if name == AUTO:
        return None
    route = name.removeprefix(_AUTO_ROUTE)
    table = state.router.core.table
    named = table.named(route)
    if named is not None:
        return named
    if "/" in route:
        workflow, _, stage = route.partition("/")
        return table.plan(workflow, stage)
    raise UnknownModel(name)


async def _relay(opened: Answer, request_id: str, receive: Receive, send: Send) -> None:
    try:
        await send({"type": "http.response.start", "status": opened.status, "headers": _head(opened, request_id)})
        if opened.streaming:
            await _relay_stream(opened, request_id, receive, send)
        else:
            await send({"type": "http.response.body", "body": await anext(opened.body)})
    finally:
        await opened.body.aclose()


async def _relay_stream(opened: Answer, request_id: str, receive: Receive, send: Send) -> None:
    """Pass events on until the end, an error (said in an error event), or the client's leaving."""
    gone = asyncio.ensure_future(_gone(receive))
    relaying = asyncio.ensure_future(_pass_on(opened, request_id, send))
    try:
        await asyncio.wait((gone, relaying), return_when=asyncio.FIRST_COMPLETED)
        if not relaying.done():
            relaying.cancel()
        with suppress(asyncio.CancelledError):
            await relaying
    finally:
        gone.cancel()
        relaying.cancel()


async def _pass_on(opened: Answer, request_id: str, send: Send) -> None:
    try:
        async for chunk in opened.body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except ProviderError as error:
        broken = HttpError(502, f"the upstream's stream broke: {error}", "upstream_broke")
        event = b"data: " + error_answer(broken, request_id).body + b"\n\n"
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(opened: Answer, request_id: str) -> list[tuple[bytes, bytes]]:
    decision = opened.decision
    head = [(name.encode(), value.encode("latin-1", "replace")) for name, value in opened.headers.items()]
    head += [
        (b"x-request-id", request_id.encode()),
        (b"x-tiercel-decision-id", decision.id.encode()),
        (b"x-tiercel-model", _ascii(opened.model.model_id)),
        (b"x-tiercel-tier", _ascii(opened.model.tier)),
        (b"x-tiercel-policy", _ascii(decision.policy)),
    ]
    if opened.attempts:
        head.append((b"x-tiercel-fallback-from", _ascii(opened.attempts[0].model)))
    if decision.degraded:
        head.append((b"x-tiercel-degraded", b"true"))
    return head


def _ascii(name: str) -> bytes:
    """A name as a header may carry it: percent-encoded where it is not plain ASCII."""
    return name.encode() if name.isascii() and name.isprintable() else quote(name).encode()


async def send_error(error: Exception, request_id: str, send: Send) -> None:
    """Answer with an error."""
    answered = error_answer(error, request_id)
    head = [(name.encode(), value.encode()) for name, value in answered.headers.items()]
    head.append((b"x-request-id", _ascii(request_id)))
    await send({"type": "http.response.start", "status": answered.status, "headers": head})
    await send({"type": "http.response.body", "body": answered.body})
