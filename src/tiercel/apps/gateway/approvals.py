"""What waits for a human's yes, what rolls out, and who changed what: /v1/approvals, /v1/rollouts, /v1/changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import change_records, records
from tiercel.apps.gateway.access import CALLER, LOCAL
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Body, Limit, Name, Query, Time, read_json_if_any, read_query, validated
from tiercel.domain.changes import Change, ChangeStatus
from tiercel.domain.events import StandingChange
from tiercel.services.changing.approvals import APPROVE, REJECT, STOP, Answer

_TICK = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC) + _TICK
NOTHING_WAITS = "nothing waits for approval"
NO_GATE = "no route's changes need approval: set changes in [[routes]] (docs/approvals.md)"


class ApprovalsQuery(Query):
    """Which changes."""

    status: ChangeStatus | None = None
    limit: Limit = 100


class AnswerBody(Body):
    """Why, and by whom where no login says so."""

    reason: str = ""
    by: Name | None = None


class ChangesQuery(Query):
    """Which part of the audit log: the newest, or those before a time."""

    limit: Limit = 100
    before: Time | None = None


async def get_approvals(request: Request, state: GatewayState) -> Response:
    """The newest change of each segment that went through a gate: what waits first."""
    query = read_query(request, ApprovalsQuery)
    return json_answer(await asyncio.to_thread(_approvals, state, query))


def _approvals(state: GatewayState, query: ApprovalsQuery) -> dict[str, Any]:
    state.settle()
    state.changes.check()
    found = state.changes.changes()
    pending = sum(1 for change in found if change.status is ChangeStatus.PENDING)
    shown = [change for change in found if query.status in (None, change.status)][: query.limit]
    note = {} if pending else {"note": NOTHING_WAITS if state.gated else NO_GATE}
    return records.listed([_record(state, change) for change in shown], pending=pending, **note)


async def post_approve(request: Request, state: GatewayState) -> Response:
    """Say yes to a change."""
    return await _answered(request, state, APPROVE)


async def post_reject(request: Request, state: GatewayState) -> Response:
    """Say no to a change, and why."""
    return await _answered(request, state, REJECT)


async def post_stop(request: Request, state: GatewayState) -> Response:
    """End a rollout and go back, and say why."""
    return await _answered(request, state, STOP)


async def _answered(request: Request, state: GatewayState, answer: Answer) -> Response:
    body = validated(AnswerBody, await read_json_if_any(request, state))
    by = request.scope.get(CALLER, LOCAL.name)
    if by == LOCAL.name and body.by:  # there are no keys, so no login tells who it is
        by = body.by
    change_id = request.path_params["change_id"]
    change = await asyncio.to_thread(lambda: state.changes.answer(change_id, answer, by=by, note=body.reason))
    return json_answer(_record(state, change))


def _record(state: GatewayState, change: Change) -> dict[str, Any]:
    return change_records.approval(change, state.changes.compared(change))


async def get_changes(request: Request, state: GatewayState) -> Response:
    """Every change of what serves what, by policies and people, newest first: who, when, what, and the evidence."""
    query = read_query(request, ChangesQuery)
    return json_answer(await asyncio.to_thread(_changes, state, query))


def _changes(state: GatewayState, query: ChangesQuery) -> dict[str, Any]:
    state.settle()
    until = None if query.before is None else max(query.before, _FIRST) - _TICK
    shown, more = _whole_moments(partial(state.router.store.recent_changes, until=until), query.limit)
    following = records.time(shown[-1].changed_at) if more else None
    return records.listed([change_records.change(change) for change in shown], next_before=following)


def _whole_moments(read: Callable[[int], Sequence[StandingChange]], limit: int) -> tuple[list[StandingChange], bool]:
    """The newest `limit` changes, and whether there are more.

    As the next page begins before a moment, none ends within one: they are fewer for that, or more where all were made
    at one moment.
    """
    while True:
        found = read(limit + 1)
        if len(found) <= limit:
            return list(found), False
        whole = [change for change in found if change.changed_at != found[limit].changed_at]
        if whole:
            return whole, True
        limit *= 2
