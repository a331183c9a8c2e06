"""Agents: /v1/agents."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Query, read_query
from tiercel.services.assigning.assignments import AssignmentStatus


async def get_agents(request: Request, state: GatewayState) -> Response:
    """The configured agents, the model each was assigned, and what the calls for it did."""
    read_query(request, Query)
    data = await asyncio.to_thread(_agents, state)
    return json_answer(records.listed(data))


def _agents(state: GatewayState) -> list[dict[str, Any]]:
    state.settle()
    held = state.assignments.held(status=AssignmentStatus.ACTIVE)
    assigned = {assignment.decision["agent_id"]: assignment.decision["model_id"] for assignment in held}
    return [
        {
            **records.agent(agent),
            "assigned_model_id": assigned.get(agent.agent_id),
            **state.performance.agent_metrics(agent.agent_id).to_dict(),
        }
        for agent in state.settings.agents
    ]
