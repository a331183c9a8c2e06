"""What keeps the gateway running: is it alive, is it ready, its metrics, its models."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.access import ROLE
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.chat import AUTO, AUTO_ROUTE
from tiercel.apps.gateway.prometheus import CONTENT_TYPE, exposition
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Query, read_query
from tiercel.domain.errors import StoreError, UnknownModel

_OWNER = "tiercel"
PROBE_S = 0.8


async def get_health(request: Request, state: GatewayState) -> Response:  # noqa: ARG001 - one signature for all
    """The process answers; whatever becomes of its store, and what waits for that."""
    status = state.router.learner.status()
    waits = {"buffered": status.buffered, "kept": status.kept, "dropped": status.dropped}
    return json_answer({"status": "ok", "degraded": status.degraded, "store": waits})


async def get_ready(request: Request, state: GatewayState) -> Response:
    """Whether requests can be served and learned from: 200 or 503; to who may read, with what is missing."""
    status = state.router.learner.status()
    store = await _store_problem(state)
    served = {provider.id for provider in state.settings.providers}
    callable_models = [model for model in state.router.core.catalogue if model.provider in served]
    checks: dict[str, dict[str, object]] = {
        "store": {"ok": not store, "problem": store},
        "learner": {
            "ok": not status.degraded,
            "problem": "events wait for the store" if status.degraded else None,
            "buffered": status.buffered,
            "kept": status.kept,
            "dropped": status.dropped,
        },
        "providers": {
            "ok": bool(callable_models),
            "problem": None if callable_models else "no model has a configured provider: decisions work, calls do not",
            "configured": len(served),
            "models": len(callable_models),
        },
    }
    ready = all(check["ok"] for check in checks.values())
    told = {"checks": checks} if ROLE in request.scope else {}
    return json_answer({"status": "ready" if ready else "not_ready", **told}, 200 if ready else 503)


async def _store_problem(state: GatewayState) -> str | None:
    """Why the store cannot be read, in words without an address or a path; None if it can."""
    # one probe at a time: a store that hangs must not take a thread for every time somebody asks
    if state.probe is None or state.probe.done():
        state.probe = asyncio.ensure_future(asyncio.to_thread(state.router.store.recent_decisions, 1))
    try:
        await asyncio.wait_for(asyncio.shield(state.probe), PROBE_S)
    except TimeoutError:
        return f"does not answer within {PROBE_S:g} s"
    except StoreError as error:
        return f"cannot be read ({type(error).__name__})"
    return None


async def get_metrics(request: Request, state: GatewayState) -> Response:
    """The figures in Prometheus's text format."""
    read_query(request, Query)
    text = await asyncio.to_thread(exposition, state)
    return Response(text, media_type=CONTENT_TYPE)


async def get_models(request: Request, state: GatewayState) -> Response:  # noqa: ARG001
    """What may stand in a request's `model`: "auto", the named routes, and the catalogue's ids."""
    names = [AUTO, *(f"{AUTO_ROUTE}{plan.route.name}" for plan in state.router.core.table.plans if plan.route.name)]
    models = [_openai_model(name, _OWNER) for name in names]
    models += [_openai_model(model.model_id, model.provider or _OWNER) for model in state.router.core.catalogue]
    return json_answer(records.listed(models))


async def get_model(request: Request, state: GatewayState) -> Response:
    """One of them. 404 where it does not exist."""
    name = request.path_params["model_id"]
    model = state.router.core.catalogue.get(name)
    if model is not None:
        return json_answer(_openai_model(name, model.provider or _OWNER))
    route = name.removeprefix(AUTO_ROUTE)
    if name != AUTO and (route == name or state.router.core.table.named(route) is None):
        raise UnknownModel(name)
    return json_answer(_openai_model(name, _OWNER))


def _openai_model(name: str, owner: str) -> dict[str, object]:
    # `created` is a field that clients demand; nobody knows when a provider made a model
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
