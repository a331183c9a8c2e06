"""What waits for a human's yes: /v1/approvals."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Query, read_query

NOTHING_TO_APPROVE = "nothing waits for approval: in this version no change needs one"


async def get_approvals(request: Request, state: GatewayState) -> Response:  # noqa: ARG001 - one signature for all
    """What waits for a human's approval: nothing, and it says so."""
    read_query(request, Query)
    return json_answer(records.listed([], note=NOTHING_TO_APPROVE))
