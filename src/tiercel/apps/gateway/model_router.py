"""Founding system A over HTTP: /api/v1/model-router. Every number is measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.alerts import checked_alerts
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.insight import TimeRangeName
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import (
    Body,
    Limit,
    Name,
    Page,
    Query,
    check_one_of,
    read_json,
    read_query,
    validated,
)
from tiercel.core.statistics.buckets import Bucket
from tiercel.core.statistics.fold import OVERALL
from tiercel.core.statistics.sums import Sums, total
from tiercel.domain.alerts import Alert, Severity
from tiercel.domain.catalogue import AgentStatus
from tiercel.domain.performance import TimeRange
from tiercel.services.assigning.assignments import STRATEGIES, AssignmentStatus, Recorded
from tiercel.services.watching.performance import call_metrics


def _strategy(value: str) -> str:
    return check_one_of(value, STRATEGIES, "strategy")


def _status(value: str) -> str:
    return check_one_of(value, tuple(AssignmentStatus), "status")


def _severity(value: str) -> str:
    return check_one_of(value, tuple(Severity), "severity")


class AutoAssignBody(Body):
    """How to assign; `capacity` is how many agents a model may have (null: any number)."""

    strategy: Annotated[str, AfterValidator(_strategy)]
    capacity: Annotated[int, Field(ge=0, le=10**6)] | None = 1


class ReassignBody(Body):
    """Which model instead."""

    model_id: Name


class AssignmentsQuery(Query):
    """Which assignments, and which page of them."""

    status: Annotated[str, AfterValidator(_status)] | None = None
    agent_id: Name | None = None
    model_id: Name | None = None
    page: Page = 1
    page_size: Limit = 20


class PerformanceQuery(Query):
    """Over which time."""

    time_range: TimeRangeName = TimeRange.LAST_24_HOURS


class AlertsQuery(Query):
    """Which alerts, at most how many."""

    severity: Annotated[str, AfterValidator(_severity)] | None = None
    limit: Limit = 100


async def post_auto_assign(request: Request, state: GatewayState) -> Response:
    """Give every online agent a model."""
    body = validated(AutoAssignBody, await read_json(request, state))
    recorded = await asyncio.to_thread(state.assignments.assign_all, body.strategy, capacity=body.capacity)
    made = [assignment.to_dict() for assignment in recorded.assignments]
    answer = {
        "success": True,
        "assignments": made,
        "strategy": body.strategy,
        "total_assignments": len(made),
        "avg_match_score": _mean([assignment["capability_score"] for assignment in made]),
        "total_score": sum(assignment["performance_score"] for assignment in made),
        "timestamp": _now(state),
        "durable": recorded.durable,
    }
    return json_answer(answer)


async def get_assignments(request: Request, state: GatewayState) -> Response:
    """The agents' assignments, filtered and by pages."""
    query = read_query(request, AssignmentsQuery)
    held = state.assignments.held(status=query.status, agent_id=query.agent_id, model_id=query.model_id)
    first = (query.page - 1) * query.page_size
    return json_answer(
        {
            "assignments": [assignment.to_dict() for assignment in held[first : first + query.page_size]],
            "total": len(held),
            "page": query.page,
            "page_size": query.page_size,
            "total_pages": -(-len(held) // query.page_size),
        }
    )


async def put_assignment(request: Request, state: GatewayState) -> Response:
    """Give the agent of an assignment another model."""
    body = validated(ReassignBody, await read_json(request, state))
    assignment_id = request.path_params["assignment_id"]
    return _changed(await asyncio.to_thread(state.assignments.reassign, assignment_id, body.model_id))


async def delete_assignment(request: Request, state: GatewayState) -> Response:
    """Take the model of an assignment away."""
    read_query(request, Query)
    return _changed(await asyncio.to_thread(state.assignments.remove, request.path_params["assignment_id"]))


def _changed(recorded: Recorded) -> Response:
    (assignment,) = recorded.assignments
    return json_answer({"success": True, "assignment": assignment.to_dict(), "durable": recorded.durable})


async def get_stats(request: Request, state: GatewayState) -> Response:
    """How many models, agents and assignments there are, and what the calls did."""
    read_query(request, Query)
    return json_answer(await asyncio.to_thread(_stats, state))


def _stats(state: GatewayState) -> dict[str, Any]:
    state.settle()
    held = [assignment.decision for assignment in state.assignments.held(status=AssignmentStatus.ACTIVE)]
    matches = [decision["capability_score"] for decision in held]
    models = {model.model_id: 0 for model in state.router.core.catalogue}
    for decision in held:
        models[decision["model_id"]] = models.get(decision["model_id"], 0) + 1
    return {
        "total_models": len(state.router.core.catalogue),
        "total_agents": len(state.settings.agents),
        "online_agents": sum(1 for agent in state.router.attendance.agents() if agent.status == AgentStatus.ONLINE),
        "total_assignments": len(held),
        "assignments_by_model": models,
        "avg_match_score": _mean(matches),
        "active_alerts": len(state.alerting.active),
        "calls": state.performance.overall_metrics().to_dict(),
        "timestamp": _now(state),
    }


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


async def get_metrics(request: Request, state: GatewayState) -> Response:
    """Latency, success and the best models, over all time."""
    read_query(request, Query)
    return json_answer(await asyncio.to_thread(_metrics, state))


def _metrics(state: GatewayState) -> dict[str, Any]:
    state.settle()
    return state.performance.metrics().to_dict()


async def get_performance(request: Request, state: GatewayState) -> Response:
    """The same over the last hour, day, week or month, and how it went over that time."""
    time_range = TimeRange(read_query(request, PerformanceQuery).time_range)
    return json_answer(await asyncio.to_thread(_performance, state, time_range))


def _performance(state: GatewayState, time_range: TimeRange) -> dict[str, Any]:
    state.settle()
    learner = state.router.learner
    since_s = learner.clock.now().timestamp() - time_range.window_s
    buckets = [(b, sums) for b, sums in learner.knowledge.buckets(OVERALL) if b.start_s + b.width_s > since_s]
    models = [
        state.performance.model_metrics(model.model_id, time_range=time_range) for model in state.router.core.catalogue
    ]
    return {
        "time_range": time_range,
        **state.performance.metrics(time_range=time_range).to_dict(),
        "models": [{"model_id": metrics.model_id, **metrics.to_dict()} for metrics in models],
        "timeline": _timeline(buckets),
        "timestamp": _now(state),
    }


def _timeline(buckets: Sequence[tuple[Bucket, Sums]]) -> list[dict[str, Any]]:
    # buckets of several widths may begin at the same time: the coarser holds what has aged into it
    starts = sorted({bucket.start_s for bucket, _ in buckets})
    merged = {start: total(sums for bucket, sums in buckets if bucket.start_s == start) for start in starts}
    widths = {start: max(bucket.width_s for bucket, _ in buckets if bucket.start_s == start) for start in starts}
    return [{"start_s": start, "width_s": widths[start], **call_metrics(merged[start]).to_dict()} for start in starts]


async def get_alerts(request: Request, state: GatewayState) -> Response:
    """Every alert known, active and resolved, newest first."""
    return await _alerts(request, state, active=None)


async def get_active_alerts(request: Request, state: GatewayState) -> Response:
    """What is wrong now, the worst first."""
    return await _alerts(request, state, active=True)


async def get_alert_history(request: Request, state: GatewayState) -> Response:
    """What was wrong and is over, newest first."""
    return await _alerts(request, state, active=False)


def _known_and_standing(state: GatewayState) -> tuple[list[Alert], list[Alert]]:
    # in a thread, both: who asks waits for another who looks, and for the store with him
    return checked_alerts(state), state.alerting.active


async def _alerts(request: Request, state: GatewayState, *, active: bool | None) -> Response:
    query = read_query(request, AlertsQuery)
    known, standing = await asyncio.to_thread(_known_and_standing, state)
    found: list[Alert] = standing if active else known
    if active is False:
        found = [alert for alert in known if alert.resolved_at is not None]
    if query.severity is not None:
        found = [alert for alert in found if alert.severity == query.severity]
    listed = [alert.to_dict() for alert in found[: query.limit]]
    return json_answer({"alerts": listed, "total": len(found), "active": len(standing), "timestamp": _now(state)})


async def get_models(request: Request, state: GatewayState) -> Response:
    """The catalogue, and what the calls of each model did."""
    read_query(request, Query)
    models = await asyncio.to_thread(_models, state)
    return json_answer({"models": models, "total": len(models), "timestamp": _now(state)})


def _models(state: GatewayState) -> list[dict[str, Any]]:
    state.settle()
    return [
        {**records.model(model), **state.performance.model_metrics(model.model_id).to_dict()}
        for model in state.router.core.catalogue
    ]


def _now(state: GatewayState) -> str:
    return state.router.learner.clock.now().isoformat()
