"""Agents: /v1/agents, their heartbeats and the signals between them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.feedback import acknowledged
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import (
    Body,
    Limit,
    Metadata,
    Name,
    Query,
    check_one_of,
    read_json,
    read_query,
    validated,
)
from tiercel.domain.presence import BEAT_S, BEAT_TTL_S, BeatStatus
from tiercel.services.assigning.assignments import AssignmentStatus
from tiercel.services.attending.attendance import AgentState


def _beat_status(value: str) -> str:
    return check_one_of(value, tuple(BeatStatus), "status")


class HeartbeatBody(Body):
    """What an agent says of itself."""

    status: Annotated[str, AfterValidator(_beat_status)]
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    metadata: Metadata = Field(default_factory=dict)


class AgentBody(Body):
    """What the operator says of an agent: "maintenance", or "online" to end that."""

    status: str


class SignalBody(Body):
    """What an agent tells another, or (without `to_agent`) all of them."""

    name: Name
    to_agent: Name | None = None
    payload: Metadata = Field(default_factory=dict)


class SignalsQuery(Query):
    """The signals after which one, and how many."""

    after: Name | None = None
    limit: Limit = 100


async def get_agents(request: Request, state: GatewayState) -> Response:
    """The configured agents: who is there, the model each was assigned, and what the calls for it did."""
    read_query(request, Query)
    data = await asyncio.to_thread(_agents, state, state.router.attendance.states())
    return json_answer(records.listed(data))


async def get_agent(request: Request, state: GatewayState) -> Response:
    """One of them. 404 where it is not configured."""
    read_query(request, Query)
    return await _one(request, state)


async def post_agent(request: Request, state: GatewayState) -> Response:
    """The operator takes an agent into maintenance, or out of it."""
    body = validated(AgentBody, await read_json(request, state))
    attendance = state.router.attendance
    _, durable = await asyncio.to_thread(attendance.set_status, request.path_params["agent_id"], body.status)
    return await _one(request, state, durable=durable)


async def post_heartbeat(request: Request, state: GatewayState) -> Response:
    """An agent says that it is alive: 202, whatever becomes of the store."""
    body = validated(HeartbeatBody, await read_json(request, state))
    now = state.router.attendance.beat(
        request.path_params["agent_id"], body.status, progress=body.progress, metadata=body.metadata
    )
    answer = {"agent_id": now.agent.agent_id, "status": now.status, "beat_every_s": BEAT_S, "ttl_s": BEAT_TTL_S}
    return json_answer(answer, 202)


async def post_signal(request: Request, state: GatewayState) -> Response:
    """An agent tells another, or all, something."""
    body = validated(SignalBody, await read_json(request, state))
    signal = state.signals.prepare(
        request.path_params["agent_id"], body.name, to_agent=body.to_agent or "", payload=body.payload
    )
    receipt = await acknowledged(state.router, [signal])
    return json_answer({**records.signal(signal), "durable": receipt is not None}, 202)


async def get_signals(request: Request, state: GatewayState) -> Response:
    """The signals to an agent and to all, in the order in which they were logged."""
    query = read_query(request, SignalsQuery)
    agent_id = request.path_params["agent_id"]
    found = await asyncio.to_thread(state.signals.to, agent_id, after=query.after or "", limit=query.limit)
    last = found[-1].id if found else query.after
    return json_answer(records.listed([records.signal(signal) for signal in found], after=last))


async def _one(request: Request, state: GatewayState, **more: object) -> Response:
    now = state.router.attendance.state(request.path_params["agent_id"])
    (data,) = await asyncio.to_thread(_agents, state, [now])
    return json_answer({**data, **more})


def _agents(state: GatewayState, agents: list[AgentState]) -> list[dict[str, Any]]:
    state.settle()
    held = state.assignments.held(status=AssignmentStatus.ACTIVE)
    assigned = {assignment.decision["agent_id"]: assignment.decision["model_id"] for assignment in held}
    return [
        {
            **records.agent(now),
            "assigned_model_id": assigned.get(now.agent.agent_id),
            **state.performance.agent_metrics(now.agent.agent_id).to_dict(),
        }
        for now in agents
    ]
