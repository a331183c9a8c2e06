"""What is wrong, and what was: /v1/alerts."""

from __future__ import annotations

import asyncio
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Limit, Query, read_query
from tiercel.domain.alerts import Alert


class AlertsQuery(Query):
    """Which alerts."""

    status: Literal["active", "resolved"] | None = None
    limit: Limit = 100


async def get_alerts(request: Request, state: GatewayState) -> Response:
    """What is wrong, and what was: the newest first."""
    query = read_query(request, AlertsQuery)
    found = await asyncio.to_thread(checked_alerts, state)
    active = sum(1 for alert in found if alert.resolved_at is None)
    if query.status is not None:
        found = [alert for alert in found if (alert.resolved_at is None) is (query.status == "active")]
    return json_answer(records.listed([alert.to_dict() for alert in found[: query.limit]], active=active))


def checked_alerts(state: GatewayState) -> list[Alert]:
    """Every alert known, newest first, after looking once more."""
    state.settle()
    state.alerting.check()
    return state.alerting.history
