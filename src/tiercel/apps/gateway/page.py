"""The dashboard over HTTP: `/` and its parts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.dashboard import pages
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.state import GatewayState


async def get_page(request: Request, state: GatewayState) -> Response:  # noqa: ARG001 - one signature for all
    """The page."""
    return _sent(request, pages.INDEX)


async def get_part(request: Request, state: GatewayState) -> Response:  # noqa: ARG001
    """Its scripts and its styles."""
    return _sent(request, request.path_params["name"])


def _sent(request: Request, name: str) -> Response:
    part = pages.find(name)
    if part is None:
        raise HttpError(404, f"there is nothing at {request.url.path[:200]!r}", "not_found")
    headers = {**pages.HEADERS, "etag": part.etag}
    if request.headers.get("if-none-match") == part.etag:
        return Response(None, 304, headers=headers)
    return Response(part.content, media_type=part.media_type, headers=headers)
