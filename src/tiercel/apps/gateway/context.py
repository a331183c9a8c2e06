"""What a request says of itself: workflow, stage, agent, session and requirements, from metadata or headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tiercel.apps.gateway.body import Scope
from tiercel.apps.gateway.errors import invalid
from tiercel.domain.errors import Problem
from tiercel.domain.names import name_problem
from tiercel.domain.request import TASK_CAPABILITIES, RequestContext

_HEADERS = {
    b"x-tiercel-workflow": "workflow",
    b"x-tiercel-stage": "stage",
    b"x-tiercel-agent": "agent_id",
    b"x-tiercel-session": "session_id",
    b"x-tiercel-requires": "requires",
}
FIELDS = ("workflow", "stage", "agent_id", "session_id", "requires", "task")
"""What tiercel reads of the metadata; `task` is a task type that stands for the capabilities it requires."""

_BYTES_PER_TOKEN = 4
"""A rough estimate, used only to exclude models whose context is clearly too short."""


def read_context(scope: Scope, metadata: Mapping[str, Any], body_bytes: int) -> RequestContext:
    """The context of a chat request; headers win over metadata. Raises 422 with every problem."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for name in FIELDS:
        value = metadata.get(name)
        if value is None:
            continue
        if isinstance(value, list) and name == "requires":
            value = ",".join(map(str, value))
        problem = name_problem(f"metadata.{name}", value)
        if problem:
            problems.append(problem)
        else:
            found[name] = value
    for key, raw in scope["headers"]:
        if key.startswith(b"x-tiercel-") and key in _HEADERS:
            name = _HEADERS[key]
            value = unquote(raw.decode("utf-8", "replace"))
            problem = name_problem(key.decode(), value)
            if problem:
                problems.append(problem)
            else:
                found[name] = value
    if problems:
        raise invalid(problems)
    requires = tuple(part.strip() for part in found.get("requires", "").split(",") if part.strip())
    return RequestContext(
        workflow=found.get("workflow", ""),
        stage=found.get("stage", ""),
        agent_id=found.get("agent_id", ""),
        session_id=found.get("session_id", ""),
        requires=requires or TASK_CAPABILITIES.get(found.get("task", ""), ()),
        prompt_tokens=body_bytes // _BYTES_PER_TOKEN,
    )
