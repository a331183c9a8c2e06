"""The hot path: POST /v1/chat/completions, on raw ASGI.

    read body -> parse -> context -> Completions.open (decide, call, fall back) -> head with the decision -> relay

The body is read with the standard library's decoder, which alone can refuse duplicate keys; what is sent on is encoded
anew, so an upstream sees exactly what was checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tiercel.apps.gateway.answers import header_value, request_id_of, send_error
from tiercel.apps.gateway.body import (
    ClientGoneError,
    Receive,
    Scope,
    Send,
    check_head,
    check_headers,
    check_method,
    header,
    parse_json,
    read_body,
)
from tiercel.apps.gateway.context import FIELDS, read_context, text_length
from tiercel.apps.gateway.errors import HttpError, invalid
from tiercel.apps.gateway.errors import answer as error_answer
from tiercel.apps.gateway.logs import REQUEST_ID
from tiercel.apps.gateway.roles import CHAT_PATH, needed
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.errors import NoEligibleModel, Problem, ProviderError, UnknownModel
from tiercel.domain.names import name_problem
from tiercel.domain.request import RequestContext
from tiercel.ports import NO_HEADERS
from tiercel.services.completion import Answer
from tiercel.services.deciding.routes import Plan
from tiercel.services.rating.intake import metadata_problems

AUTO = "auto"
AUTO_ROUTE = "auto:"
_TRACE_CONTEXT = ("traceparent", "tracestate")
_NEEDED = needed(CHAT_PATH, "POST")


async def chat(scope: Scope, receive: Receive, send: Send, state: GatewayState) -> None:
    """Answer one chat completion; every error is answered in the shape OpenAI clients read."""
    request_id = request_id_of(scope)
    REQUEST_ID.set(request_id)
    with state.calls.one():
        try:
            opened = await _opened(scope, receive, request_id, state)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            if not state.calls.told_to_end():
                raise
            await send_error(_stopping(), request_id, send)
            return
        except Exception as error:  # noqa: BLE001 - the edge of the process: whatever happened, the client gets an answer
            if isinstance(error, NoEligibleModel):
                state.alerting.note_no_models(error.reasons)
            await send_error(error, request_id, send)
            return
        await _relay(opened, request_id, receive, send, state)


async def _opened(scope: Scope, receive: Receive, request_id: str, state: GatewayState) -> Answer:
    """Read the request and call models until one has begun to answer."""
    limit = state.settings.server.max_body_bytes
    check_headers(scope)
    state.access.admit(scope, _NEEDED)
    check_method(scope, ("POST",))
    check_head(scope, limit)
    raw = await read_body(receive, limit, header(scope, b"content-length"))
    body = parse_json(raw)
    check_chat(body)
    metadata = body.get("metadata") or {}
    request = read_context(scope, metadata, text_length(body["messages"]))
    if state.settings.server.forward_metadata:
        body |= {"metadata": {key: value for key, value in metadata.items() if key not in FIELDS}} if metadata else {}
    else:
        body.pop("metadata", None)
    parent = NO_HEADERS if state.router.telemetry is None else _trace_context(scope)
    return await _open(body, request, request_id, parent, state)


def _trace_context(scope: Scope) -> dict[str, str]:
    """The caller's headers of trace context, as far as they are there."""
    return {name: value for name in _TRACE_CONTEXT if (value := header(scope, name.encode()))}


def check_chat(body: object) -> None:
    """The fields tiercel itself relies on; the rest is the upstream's to judge. Raises 422."""
    if not isinstance(body, dict):
        raise invalid([Problem("", "the body must be a JSON object", type(body).__name__, "type")])
    problems: list[Problem] = []
    model, messages, metadata = body.get("model"), body.get("messages"), body.get("metadata")
    if not isinstance(model, str):
        problems.append(_wrong("model", "must be a string: a catalogue id or 'auto'", model))
    elif wrong_name := name_problem("model", model):
        problems.append(wrong_name)
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


async def _open(
    body: dict[str, Any], request: RequestContext, request_id: str, parent: Mapping[str, str], state: GatewayState
) -> Answer:
    name: str = body["model"]
    router = state.router.core
    requested, plan = name, None
    if name == AUTO or name.startswith(AUTO_ROUTE):
        requested = ""
        plan, request = _addressed(name, request, state)
    elif router.catalogue.get(name) is None:
        raise UnknownModel(name)
    completions = state.router.completions
    return await completions.open(
        body, request, requested_model=requested, plan=plan, request_id=request_id, parent=parent
    )


def _addressed(name: str, request: RequestContext, state: GatewayState) -> tuple[Plan | None, RequestContext]:
    """The plan of "auto:<route>", by the route's name; or the stage that "auto:<workflow>/<stage>" stands for.

    A request that names a stage of its own keeps it, and is decided for as the other.
    """
    if name == AUTO:
        return None, request
    route = name.removeprefix(AUTO_ROUTE)
    table = state.router.core.table
    plan = table.named(route)
    if plan is None:
        workflow, separator, stage = route.partition("/")
        if not separator:
            raise UnknownModel(name)
        if not (request.workflow or request.stage or request.agent_id):
            return None, replace(request, workflow=workflow, stage=stage)
        plan = table.plan(workflow, stage)
    return plan, request


async def _relay(opened: Answer, request_id: str, receive: Receive, send: Send, state: GatewayState) -> None:
    head = _head(opened, request_id)
    try:
        if opened.streaming:
            await send({"type": "http.response.start", "status": opened.status, "headers": head})
            try:
                await _relay_stream(opened, request_id, receive, send)
            except asyncio.CancelledError:
                if not state.calls.told_to_end():
                    raise
                # the outcome first: this client may not be reading
                await opened.body.aclose()
                await _end_with(_stopping(), request_id, send)
        else:
            whole = await anext(opened.body)
            head.append((b"content-length", str(len(whole)).encode()))
            await send({"type": "http.response.start", "status": opened.status, "headers": head})
            await send({"type": "http.response.body", "body": whole})
    finally:
        await opened.body.aclose()


async def _relay_stream(opened: Answer, request_id: str, receive: Receive, send: Send) -> None:
    """Pass events on until the end, an error (said in an error event), or the client's leaving."""
    gone = asyncio.ensure_future(_gone(receive))
    relaying = asyncio.ensure_future(_pass_on(opened, request_id, send))
    try:
        await asyncio.wait((gone, relaying), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        relaying.cancel()
        # what is being read cannot be closed: first the reading has to end
        await asyncio.wait((relaying,))
    if not relaying.cancelled():
        relaying.result()


async def _pass_on(opened: Answer, request_id: str, send: Send) -> None:
    try:
        async for chunk in opened.body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except ProviderError as error:
        await _end_with(HttpError(502, f"the upstream's stream broke: {error}", "upstream_broke"), request_id, send)
    else:
        await send({"type": "http.response.body", "body": b""})


async def _end_with(error: HttpError, request_id: str, send: Send) -> None:
    """End a stream with an error event."""
    event = b"data: " + error_answer(error, request_id).body + b"\n\n"
    await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _stopping() -> HttpError:
    headers = {"retry-after": "1", "connection": "close"}
    return HttpError(503, "the gateway is stopping; try again", "stopping", headers=headers)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(opened: Answer, request_id: str) -> list[tuple[bytes, bytes]]:
    decision = opened.decision
    head = [(name.encode(), value.encode("latin-1", "replace")) for name, value in opened.headers.items()]
    head += [
        (b"x-request-id", request_id.encode()),
        (b"x-tiercel-decision-id", decision.id.encode()),
        (b"x-tiercel-model", header_value(opened.model.model_id)),
        (b"x-tiercel-tier", header_value(opened.model.tier)),
        (b"x-tiercel-policy", header_value(decision.policy)),
    ]
    if opened.attempts:
        head.append((b"x-tiercel-fallback-from", header_value(opened.attempts[0].model)))
    if decision.degraded:
        head.append((b"x-tiercel-degraded", b"true"))
    return head
