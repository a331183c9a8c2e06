"""What the dashboard shows: figures of the learned state, each answer as of one moment."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.errors import invalid
from tiercel.apps.gateway.insight import TimeRangeName, serving
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Limit, Name, Query, read_query
from tiercel.core.figures.readings import Place
from tiercel.core.figures.savings import Savings
from tiercel.domain.changes import ChangeStatus
from tiercel.domain.errors import Problem
from tiercel.domain.performance import TimeRange
from tiercel.domain.request import stage_segment
from tiercel.services.watching.frontier import frontier
from tiercel.services.watching.observed_models import ObservedModel, observed_models
from tiercel.services.watching.overview import overview
from tiercel.services.watching.performance import call_metrics
from tiercel.services.watching.series import series
from tiercel.services.watching.stages import StageView, stages

NO_BREAKER = "there are no circuit breakers in this version: a model that fails is followed by another, call by call"


class RangeQuery(Query):
    """Over which time."""

    time_range: TimeRangeName = TimeRange.LAST_24_HOURS


class PlaceQuery(RangeQuery):
    """Over which time, and of which workflow or stage."""

    workflow: Name | None = None
    stage: Name | None = None


class RoutingQuery(Query):
    """Which stages."""

    workflow: Name | None = None
    stage: Name | None = None
    limit: Limit = 100


async def get_overview(request: Request, state: GatewayState) -> Response:
    """What the router does, how well, what it saves, and what needs a hand."""
    query = read_query(request, RangeQuery)
    return json_answer(await asyncio.to_thread(_overview, state, TimeRange(query.time_range)))


def _overview(state: GatewayState, time_range: TimeRange) -> dict[str, Any]:
    learner, catalogue = state.router.learner, state.router.core.catalogue
    now = learner.clock.now()
    view = overview(learner.knowledge, catalogue, time_range, now.timestamp())
    active, status = state.alerting.active, learner.status()
    return {
        "time_range": time_range,
        "measured_at": records.time(now),
        **asdict(view.headline),
        "saved": _saved(view.savings) if isinstance(view.savings, Savings) else None,
        "saved_reason": view.savings.interval_reason if isinstance(view.savings, Savings) else view.savings,
        "decisions_per_s": state.pace.per_s,
        "active_alerts": {"count": len(active), "worst": active[0].severity if active else None},
        "pending_approvals": state.changes.count(ChangeStatus.PENDING),
        "store": {
            "degraded": status.degraded,
            "buffered": status.buffered,
            "kept": status.kept,
            "dropped": status.dropped,
        },
        "previous": asdict(view.previous) if view.previous else None,
    }


def _saved(saved: Savings) -> dict[str, Any]:
    difference = saved.quality_difference
    return {
        "usd": saved.usd,
        "low_usd": saved.low_usd,
        "high_usd": saved.high_usd,
        "share": saved.share,
        "against": next(iter(saved.against)),
        "against_requests": dict(saved.against),
        "requests": saved.requests,
        "estimated_from": dict(saved.estimated_from),
        "quality_difference": None
        if difference is None
        else {**difference._asdict(), "requests": saved.quality_requests},
    }


async def get_series(request: Request, state: GatewayState) -> Response:
    """The figures over time."""
    query = read_query(request, PlaceQuery)
    place = _place(query.workflow, query.stage)
    learner, catalogue = state.router.learner, state.router.core.catalogue
    now_s = learner.clock.now().timestamp()
    found = await asyncio.to_thread(series, learner.knowledge, catalogue, TimeRange(query.time_range), now_s, place)
    return json_answer(asdict(found))


async def get_frontier(request: Request, state: GatewayState) -> Response:
    """Cost against quality per model, and where the router stands."""
    query = read_query(request, PlaceQuery)
    place = _place(query.workflow, query.stage)
    learner, catalogue = state.router.learner, state.router.core.catalogue
    now_s = learner.clock.now().timestamp()
    found = await asyncio.to_thread(frontier, learner.knowledge, catalogue, TimeRange(query.time_range), now_s, place)
    return json_answer(asdict(found))


async def get_routing(request: Request, state: GatewayState) -> Response:
    """What serves each stage, how well, and what is advised; the worst first."""
    query = read_query(request, RoutingQuery)
    data, known = await asyncio.to_thread(_routing, state, _place(query.workflow, query.stage), query.limit)
    return json_answer(records.listed(data, known=known))


def _routing(state: GatewayState, place: Place, limit: int) -> tuple[list[dict[str, Any]], int]:
    learner, feedback = state.router.learner, state.settings.feedback
    views = stages(
        learner.knowledge,
        learner.clock,
        quality_threshold=feedback.quality_threshold,
        min_samples=feedback.min_samples,
        place=place,
    )
    return [_stage(state, view) for view in views[:limit]], len(views)


def _stage(state: GatewayState, view: StageView) -> dict[str, Any]:
    plan = state.router.core.table.plan(view.workflow, view.stage)
    return {
        **asdict(view),
        "policy": plan.policy.name,
        "serving": serving(state, stage_segment(view.workflow, view.stage)),
        "recommendation": records.recommendation(state.advice.of(view.workflow, view.stage)),
    }


async def get_observed_models(request: Request, state: GatewayState) -> Response:
    """Every model of the catalogue and what its calls did."""
    query = read_query(request, RangeQuery)
    learner, catalogue = state.router.learner, state.router.core.catalogue
    now_s = learner.clock.now().timestamp()
    found = await asyncio.to_thread(observed_models, learner.knowledge, catalogue, TimeRange(query.time_range), now_s)
    return json_answer(records.listed([_observed(state, model) for model in found], breaker_reason=NO_BREAKER))


def _observed(state: GatewayState, model: ObservedModel) -> dict[str, Any]:
    described, figures, drift = records.model(model.profile), call_metrics(model.sums), model.drift
    return {
        **described,
        "price": described["price_usd_per_mtok"],
        "requests": figures.total_requests,
        "share": model.share,
        "success_rate": figures.success_rate,
        "latency": figures.latency.to_dict(),
        "cost_usd": figures.cost_usd,
        "avg_quality": model.sums.mean_quality,
        "ratings": model.sums.ratings,
        "in_flight": state.router.completions.in_flight.of(model.profile.model_id),
        "breaker": None,
        "drift": None
        if drift is None
        else {
            "changed_at": records.time(datetime.fromtimestamp(drift.at_us / 1e6, UTC)),
            "shift": drift.shift,
            "samples": drift.samples,
        },
    }


async def get_evaluations(request: Request, state: GatewayState) -> Response:
    """How policies compared, as far as results were kept."""
    read_query(request, Query)
    data, note = await asyncio.to_thread(state.evaluations.newest)
    return json_answer(records.listed(data, note=note))


def _place(workflow: str | None, stage: str | None) -> Place:
    if stage is not None and workflow is None:
        raise invalid([Problem("workflow", "is required with stage", "", "missing")])
    return Place(workflow, stage)
