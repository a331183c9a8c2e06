"""Signing in from a browser: /session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.access import CALLER, COOKIES, LOCAL, ROLE, SESSION, refused
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.body import Scope, check_head, header, parse_json, read_body
from tiercel.apps.gateway.errors import invalid
from tiercel.apps.gateway.state import GatewayState
from tiercel.core.keyring import Holder, Session
from tiercel.domain.errors import Problem

_MAX_BODY_BYTES = 4096


async def get_session(request: Request, state: GatewayState) -> Response:
    """Who calls, and what a session's changes have to show."""
    scope = request.scope
    return json_answer(_record(Holder(scope[CALLER], scope[ROLE]), scope[SESSION], state))


async def post_session(request: Request, state: GatewayState) -> Response:
    """Sign in with a key: the session comes as a cookie. Without keys there is nothing to sign in to."""
    access = state.access
    if access.keyring is None:
        return json_answer(_record(LOCAL, None, state))
    address = (request.scope.get("client") or ("",))[0]
    access.limit.check(address)
    token = access.begin(await _key(request))
    session = access.session(token) if token is not None else None
    if token is None or session is None:
        access.limit.failed(address)
        raise refused()
    answer = json_answer(_record(session.holder, session, state))
    secure = _came_by_https(request.scope)
    kept = f"Path=/; HttpOnly; SameSite=Strict; Max-Age={int(access.keyring.session_s)}"
    answer.headers.append("set-cookie", f"{COOKIES[not secure]}={token}; {kept}{'; Secure' if secure else ''}")
    return answer


async def delete_session(request: Request, state: GatewayState) -> Response:  # noqa: ARG001 - one signature for all
    """Sign out: the browser forgets the session."""
    answer = Response(None, 204)
    for name, more in zip(COOKIES, ("; Secure", ""), strict=True):
        answer.headers.append("set-cookie", f"{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{more}")
    return answer


def _record(holder: Holder, session: Session | None, state: GatewayState) -> dict[str, Any]:
    return {
        "name": holder.name,
        "role": holder.role,
        "csrf": session.csrf if session else None,
        "keys_configured": state.access.keyring is not None,
        "expires_at": records.time(datetime.fromtimestamp(session.expires_at_s, UTC)) if session else None,
    }


async def _key(request: Request) -> str:
    """The key in the body; what is wrong with it is said without showing any of it."""
    check_head(request.scope, _MAX_BODY_BYTES)
    body = parse_json(await read_body(request.receive, _MAX_BODY_BYTES))
    if not isinstance(body, dict):
        raise invalid([Problem("", "must be a JSON object", "", "type")])
    key = body.get("key")
    if not isinstance(key, str):
        raise invalid([Problem("key", "must be a string", "", "type" if "key" in body else "missing")])
    if len(body) > 1:
        raise invalid([Problem("", "holds more than this call knows, which is key", "", "unknown")])
    return key


def _came_by_https(scope: Scope) -> bool:
    """Whether the browser speaks TLS, as far as can be told: to us, to a proxy that says so, to its page."""
    forwarded = header(scope, b"x-forwarded-proto").partition(",")[0].strip().lower()
    return "https" in (scope["scheme"], forwarded) or header(scope, b"origin").lower().startswith("https://")
