"""Every endpoint but the hot path: which path and method is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.routing import Route, Router

from tiercel.apps.gateway import (
    agents,
    alerts,
    approvals,
    decisions,
    feedback,
    figures,
    insight,
    model_router,
    operations,
    page,
    sessions,
)
from tiercel.apps.gateway.answers import guarded, request_id_of, send_error
from tiercel.apps.gateway.body import ClientGoneError, Message, Receive, Scope, Send, check_headers, check_method
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.logs import REQUEST_ID
from tiercel.apps.gateway.roles import MODEL_ROUTER, VIEWER, needed
from tiercel.apps.gateway.state import GatewayState

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]
Endpoint = Callable[[Request, GatewayState], Awaitable[Answer]]

RESOURCES: Mapping[str, Mapping[str, Endpoint]] = {
    "/": {"GET": page.get_page},
    "/page/{name:path}": {"GET": page.get_part},
    "/session": {
        "GET": sessions.get_session,
        "POST": sessions.post_session,
        "DELETE": sessions.delete_session,
    },
    "/health": {"GET": operations.get_health},
    "/ready": {"GET": operations.get_ready},
    "/metrics": {"GET": operations.get_metrics},
    "/v1/models": {"GET": operations.get_models},
    "/v1/models/observed": {"GET": figures.get_observed_models},
    "/v1/models/{model_id:path}": {"GET": operations.get_model},
    "/v1/decisions": {"GET": decisions.get_decisions, "POST": decisions.post_decision},
    "/v1/decisions/{decision_id}": {"GET": decisions.get_decision},
    "/v1/outcomes": {"POST": feedback.post_outcome},
    "/v1/feedback": {"POST": feedback.post_feedback},
    "/v1/recommendations": {"GET": insight.get_recommendations},
    "/v1/stats": {"GET": insight.get_stats},
    "/v1/underperforming": {"GET": insight.get_underperforming},
    "/v1/events": {"GET": insight.get_events},
    "/v1/overview": {"GET": figures.get_overview},
    "/v1/series": {"GET": figures.get_series},
    "/v1/frontier": {"GET": figures.get_frontier},
    "/v1/routing": {"GET": figures.get_routing},
    "/v1/evaluations": {"GET": figures.get_evaluations},
    "/v1/alerts": {"GET": alerts.get_alerts},
    "/v1/alerts/{alert_id}/acknowledge": {"POST": alerts.post_acknowledge},
    "/v1/agents": {"GET": agents.get_agents},
    "/v1/agents/{agent_id:path}/heartbeat": {"POST": agents.post_heartbeat},
    "/v1/agents/{agent_id:path}/signals": {"GET": agents.get_signals, "POST": agents.post_signal},
    "/v1/agents/{agent_id:path}": {"GET": agents.get_agent, "POST": agents.post_agent},
    "/v1/approvals": {"GET": approvals.get_approvals},
    "/v1/approvals/{change_id}/approve": {"POST": approvals.post_approve},
    "/v1/approvals/{change_id}/reject": {"POST": approvals.post_reject},
    "/v1/rollouts/{change_id}/stop": {"POST": approvals.post_stop},
    "/v1/changes": {"GET": approvals.get_changes},
    f"{MODEL_ROUTER}/auto-assign-all": {"POST": model_router.post_auto_assign},
    f"{MODEL_ROUTER}/auto-assign": {"POST": model_router.post_auto_assign},
    f"{MODEL_ROUTER}/assignments": {"GET": model_router.get_assignments},
    f"{MODEL_ROUTER}/assignments/{{assignment_id}}": {
        "PUT": model_router.put_assignment,
        "DELETE": model_router.delete_assignment,
    },
    f"{MODEL_ROUTER}/stats": {"GET": model_router.get_stats},
    f"{MODEL_ROUTER}/metrics": {"GET": model_router.get_metrics},
    f"{MODEL_ROUTER}/performance": {"GET": model_router.get_performance},
    f"{MODEL_ROUTER}/alerts": {"GET": model_router.get_alerts},
    f"{MODEL_ROUTER}/alerts/active": {"GET": model_router.get_active_alerts},
    f"{MODEL_ROUTER}/alerts/history": {"GET": model_router.get_alert_history},
    f"{MODEL_ROUTER}/route": {"POST": decisions.post_decision},
    f"{MODEL_ROUTER}/models": {"GET": model_router.get_models},
}


class Endpoints:
    """An ASGI application: every answer carries the request's id, every error the shape OpenAI clients read."""

    def __init__(self, state: GatewayState) -> None:
        routes = [Route(path, _Resource(state, path, endpoints)) for path, endpoints in RESOURCES.items()]
        self._state = state
        self._router = Router(routes, redirect_slashes=False, default=self._not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = request_id_of(scope)
        REQUEST_ID.set(request_id)
        answering = _Answering(send, request_id, body=scope["method"] != "HEAD")
        try:
            check_headers(scope)
            await self._router(scope, receive, answering)
        except ClientGoneError:
            return
        except Exception as error:  # the edge of the process: whatever happened, the client gets an answer
            if answering.begun:
                raise
            await send_error(error, request_id, answering)

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as it is called
        self._state.access.admit(scope, VIEWER)
        raise HttpError(404, f"there is nothing at {scope['path'][:200]!r}", "not_found")


class _Answering:
    """Sends on, with the request's id; without a body where none is wanted."""

    def __init__(self, send: Send, request_id: str, *, body: bool) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._body = body
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            named = [pair for pair in message["headers"] if pair[0] != b"x-request-id"]
            message["headers"] = guarded([*named, (b"x-request-id", self._request_id)])
        elif not self._body:
            message["body"] = b""
        await self._send(message)


class _Resource:
    """One path with all its methods, so that a refused one is told every one that is allowed."""

    def __init__(self, state: GatewayState, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self._state = state
        self._path = path
        self._endpoints = {**({"HEAD": endpoints["GET"]} if "GET" in endpoints else {}), **endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["method"] in self._endpoints
        self._state.access.admit(scope, needed(self._path, scope["method"]) if known else VIEWER)
        check_method(scope, sorted(self._endpoints))
        answer = await self._endpoints[scope["method"]](Request(scope, receive), self._state)
        await answer(scope, receive, send)


def build_endpoints(state: GatewayState) -> Endpoints:
    """The application that answers whatever is not the hot path."""
    return Endpoints(state)
