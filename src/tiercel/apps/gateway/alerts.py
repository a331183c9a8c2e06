"""What is wrong, and what was: /v1/alerts; and who takes care of it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.access import CALLER, LOCAL
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.state import SETTLE_S, GatewayState
from tiercel.apps.gateway.validation import Body, Limit, Name, Query, read_json_if_any, read_query, validated
from tiercel.domain.alerts import Alert


class AlertsQuery(Query):
    """Which alerts."""

    status: Literal["active", "resolved"] | None = None
    limit: Limit = 100


class Acknowledge(Body):
    """Who takes care of it, where no key says so, and what they have to say."""

    by: Name | None = None
    note: Name | None = None


async def get_alerts(request: Request, state: GatewayState) -> Response:
    """What is wrong, and what was: the newest first."""
    query = read_query(request, AlertsQuery)
    found = await asyncio.to_thread(checked_alerts, state)
    active = sum(1 for alert in found if alert.resolved_at is None)
    if query.status is not None:
        found = [alert for alert in found if (alert.resolved_at is None) is (query.status == "active")]
    listed = [alert.to_dict() for alert in found[: query.limit]]
    channels = [asdict(status) for status in state.notifying.status()]
    return json_answer(records.listed(listed, active=active, channels=channels))


async def post_acknowledge(request: Request, state: GatewayState) -> Response:
    """Somebody takes care of an alert: the first who says so. 404 where there is none of that id."""
    body = validated(Acknowledge, await read_json_if_any(request, state))
    by = request.scope.get(CALLER, LOCAL.name)
    if by == LOCAL.name and body.by:
        by = body.by
    alert_id = request.path_params["alert_id"]
    alert = await asyncio.to_thread(state.alerting.acknowledge, alert_id, by, body.note or "", timeout_s=SETTLE_S)
    return json_answer({"object": "alert", **alert.to_dict()})


def checked_alerts(state: GatewayState) -> list[Alert]:
    """Every alert known, newest first, after looking once more."""
    state.settle()
    state.alerting.check()
    return state.alerting.history
