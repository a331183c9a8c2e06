"""A page that says what runs here, with the live figures of /v1/stats: no outside host, no inline script or style."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.state import GatewayState

_FOLDER = files("tiercel.apps.gateway") / "page_files"
_TYPES = {"page.js": "text/javascript", "page.css": "text/css"}
_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


@cache
def _part(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


async def get_page(request: Request, state: GatewayState) -> Response:  # noqa: ARG001 - one signature for all
    """The page."""
    return Response(_part("index.html"), media_type="text/html", headers=_HEADERS)


async def get_part(request: Request, state: GatewayState) -> Response:  # noqa: ARG001
    """Its script and its style."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise HttpError(404, f"there is nothing at {request.url.path[:200]!r}", "not_found")
    return Response(_part(name), media_type=_TYPES[name], headers=_HEADERS)
