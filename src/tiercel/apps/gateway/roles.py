"""Who may do what: the least role that each method of each path needs.

A path that is missing here needs an admin, and fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping

from tiercel.domain.access import Role

CHAT_PATH = "/v1/chat/completions"
MODEL_ROUTER = "/api/v1/model-router"

OPEN = None
"""For everyone, also without a key: that the gateway lives, and the pages, which hold no figures."""
VIEWER, CALLER, ADMIN = Role

ROLES: Mapping[str, Mapping[str, Role | None]] = {
    CHAT_PATH: {"POST": CALLER},
    "/": {"GET": OPEN},
    "/page/{name:path}": {"GET": OPEN},
    "/session": {"GET": VIEWER, "POST": OPEN, "DELETE": VIEWER},
    "/health": {"GET": OPEN},
    "/ready": {"GET": OPEN},
    "/metrics": {"GET": VIEWER},
    "/v1/models": {"GET": VIEWER},
    "/v1/models/observed": {"GET": VIEWER},
    "/v1/models/{model_id:path}": {"GET": VIEWER},
    "/v1/decisions": {"GET": VIEWER, "POST": CALLER},
    "/v1/decisions/{decision_id}": {"GET": VIEWER},
    "/v1/outcomes": {"POST": CALLER},
    "/v1/feedback": {"POST": CALLER},
    "/v1/recommendations": {"GET": VIEWER},
    "/v1/stats": {"GET": VIEWER},
    "/v1/underperforming": {"GET": VIEWER},
    "/v1/events": {"GET": VIEWER},
    "/v1/overview": {"GET": VIEWER},
    "/v1/series": {"GET": VIEWER},
    "/v1/frontier": {"GET": VIEWER},
    "/v1/routing": {"GET": VIEWER},
    "/v1/evaluations": {"GET": VIEWER},
    "/v1/alerts": {"GET": VIEWER},
    "/v1/alerts/{alert_id}/acknowledge": {"POST": ADMIN},
    "/v1/agents": {"GET": VIEWER},
    "/v1/agents/{agent_id:path}/heartbeat": {"POST": CALLER},
    "/v1/agents/{agent_id:path}/signals": {"GET": VIEWER, "POST": CALLER},
    "/v1/agents/{agent_id:path}": {"GET": VIEWER, "POST": ADMIN},
    "/v1/approvals": {"GET": VIEWER},
    "/v1/approvals/{change_id}/approve": {"POST": ADMIN},
    "/v1/approvals/{change_id}/reject": {"POST": ADMIN},
    "/v1/rollouts/{change_id}/stop": {"POST": ADMIN},
    "/v1/changes": {"GET": VIEWER},
    f"{MODEL_ROUTER}/auto-assign-all": {"POST": ADMIN},
    f"{MODEL_ROUTER}/auto-assign": {"POST": ADMIN},
    f"{MODEL_ROUTER}/assignments": {"GET": VIEWER},
    f"{MODEL_ROUTER}/assignments/{{assignment_id}}": {"PUT": ADMIN, "DELETE": ADMIN},
    f"{MODEL_ROUTER}/stats": {"GET": VIEWER},
    f"{MODEL_ROUTER}/metrics": {"GET": VIEWER},
    f"{MODEL_ROUTER}/performance": {"GET": VIEWER},
    f"{MODEL_ROUTER}/alerts": {"GET": VIEWER},
    f"{MODEL_ROUTER}/alerts/active": {"GET": VIEWER},
    f"{MODEL_ROUTER}/alerts/history": {"GET": VIEWER},
    f"{MODEL_ROUTER}/route": {"POST": CALLER},
    f"{MODEL_ROUTER}/models": {"GET": VIEWER},
}


def needed(path: str, method: str) -> Role | None:
    """The least role for a method of a path: HEAD is as GET, and what is not listed is for admins."""
    return ROLES.get(path, {}).get("GET" if method == "HEAD" else method, ADMIN)
