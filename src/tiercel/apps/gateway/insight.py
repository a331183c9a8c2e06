"""What is known: recommendations, figures, what underperforms, and what happens."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.errors import HttpError, invalid
from tiercel.apps.gateway.event_stream import MAX_STREAMS, EventStream
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Limit, Name, Query, check_one_of, read_query
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.policies.wrapper import innermost
from tiercel.core.statistics.fold import OVERALL, Key, model_key, segment_model_key, segment_tier_key
from tiercel.core.statistics.sums import Sums
from tiercel.domain.errors import Problem
from tiercel.domain.performance import TimeRange
from tiercel.domain.request import Segment, stage_segment
from tiercel.services.judging.judge_report import judge_report
from tiercel.services.watching.analytics import worst_stages
from tiercel.services.watching.performance import call_metrics


def _time_range(value: str) -> str:
    return check_one_of(value, tuple(TimeRange), "time range")


def _kinds(value: str) -> str:
    for kind in value.split(","):
        check_one_of(kind, records.EVENT_KINDS, "kind of event")
    return value


def _yes_or_no(value: str) -> str:
    return check_one_of(value, ("true", "false"), "answer")


TimeRangeName = Annotated[str, AfterValidator(_time_range)]


class RecommendationQuery(Query):
    """Which stages; without a stage all known ones of the workflow, without a workflow all."""

    workflow: Name | None = None
    stage: Name | None = None
    current_tier: str | None = None
    limit: Limit = 100


class StatsQuery(Query):
    """Over which time, and of which stage; `judge` asks for the judges' figures too."""

    judge: Annotated[str, AfterValidator(_yes_or_no)] = "false"
    time_range: TimeRangeName | None = None
    workflow: Name | None = None
    stage: Name | None = None


class UnderperformingQuery(Query):
    """Of which workflow, below which quality, how many."""

    workflow: Name | None = None
    quality_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    limit: Limit = 100


class EventsQuery(Query):
    """Which kinds of events, with commas between them."""

    kinds: Annotated[str, AfterValidator(_kinds)] = ",".join(records.EVENT_KINDS)


async def get_recommendations(request: Request, state: GatewayState) -> Response:
    """Whether stages should keep their tier or move one up or down, and what serves them now."""
    query = read_query(request, RecommendationQuery)
    if query.stage is not None and query.workflow is None:
        raise invalid([Problem("workflow", "is required with stage", "", "missing")])
    data = await asyncio.to_thread(_recommendations, state, query)
    return json_answer(records.listed(data))


def _recommendations(state: GatewayState, query: RecommendationQuery) -> list[dict[str, Any]]:
    if query.workflow is not None and query.stage is not None:
        stages = [(query.workflow, query.stage)]
    else:
        stages = [place for place in _rated_stages(state) if query.workflow in (None, place[0])][: query.limit]
    return [
        {
            "workflow": workflow,
            "stage": stage,
            **records.recommendation(state.quality.recommend_tier(workflow, stage, query.current_tier)),
            "serving": serving(state, stage_segment(workflow, stage)),
        }
        for workflow, stage in stages
    ]


def _rated_stages(state: GatewayState) -> list[tuple[str, str]]:
    """The workflows and stages that something is known of, in the order of their names."""
    keys = state.router.learner.knowledge.keys(("stage",))
    return sorted({(key[1], key[2]) for key in keys if len(key) == 5 and key[3] == "tier"})


def serving(state: GatewayState, segment: Segment) -> dict[str, Any]:
    """The policy that decides for a stage and, where that is by tiers, the tier that serves and since when."""
    knowledge = state.router.learner.knowledge
    # what serves stands under the name of the policy behind whatever wraps it
    policy = innermost(state.router.core.table.plan(segment[1], segment[2]).policy, segment, knowledge)
    standing = knowledge.standing(policy.name, segment)
    start = policy.settings.start_tier if isinstance(policy, TierRulesPolicy) else None
    if standing is None:
        return {"policy": policy.name, "tier": start, "since": None, "reason": None}
    since = records.time(standing.changed_at)
    return {"policy": policy.name, "tier": standing.current, "since": since, "reason": standing.reason}


async def get_stats(request: Request, state: GatewayState) -> Response:
    """What the models' calls did, overall and by model, and how the way into the store is doing."""
    query = read_query(request, StatsQuery)
    if (query.workflow is None) is not (query.stage is None):
        missing = "workflow" if query.workflow is None else "stage"
        raise invalid([Problem(missing, "is required: workflow and stage go together", "", "missing")])
    segment = stage_segment(query.workflow, query.stage) if query.workflow and query.stage else None
    stats = await asyncio.to_thread(_stats, state, segment, query.time_range)
    if query.judge == "true":
        stats["judge"] = await asyncio.to_thread(_judge, state, segment)
    return json_answer(stats)


def _judge(state: GatewayState, segment: Segment | None) -> dict[str, Any]:
    stages = _rated_stages(state) if segment is None else [(segment[1], segment[2])]
    router = state.router
    return judge_report(router.learner, router.core.catalogue, router.judge_counts, stages)


def _stats(state: GatewayState, segment: Segment | None, time_range: str | None) -> dict[str, Any]:
    state.settle()
    learner = state.router.learner
    since_s = None
    if time_range is not None:
        since_s = learner.clock.now().timestamp() - TimeRange.parse(time_range).window_s

    def sums(key: Key) -> Sums:
        return learner.knowledge.sums(key, since_s=since_s)

    models = [
        (model, sums(segment_model_key(segment, model.model_id) if segment else model_key(model.model_id)))
        for model in state.router.core.catalogue
    ]
    if segment is None:
        overall = sums(OVERALL)
    else:
        overall = Sums()
        for _, part in models:
            overall.merge(part)
    status = learner.status()
    answer = {
        "time_range": time_range,
        "overall": _figures(overall),
        "models": [
            {
                "model_id": model.model_id,
                "tier": model.tier,
                "share": part.requests / overall.requests if overall.requests else None,
                **_figures(part),
            }
            for model, part in models
        ],
        "store": {
            "degraded": status.degraded,
            "buffered": status.buffered,
            "kept": status.kept,
            "dropped": status.dropped,
            "committed": status.committed,
        },
        "started_at": records.time(state.started_at),
        "measured_at": records.time(learner.clock.now()),
    }
    if segment:
        tiers = [(tier, sums(segment_tier_key(segment, tier))) for tier in state.settings.tiers]
        rated = [{"tier": tier, "ratings": part.ratings, "avg_quality": part.mean_quality} for tier, part in tiers]
        answer |= {**records.segment(segment), "tiers": rated, "serving": serving(state, segment)}
    return answer


def _figures(sums: Sums) -> dict[str, Any]:
    return {**call_metrics(sums).to_dict(), "avg_quality": sums.mean_quality, "ratings": sums.ratings}


async def get_underperforming(request: Request, state: GatewayState) -> Response:
    """The stages and tiers whose quality is below the threshold, the worst first."""
    query = read_query(request, UnderperformingQuery)
    data = await asyncio.to_thread(_underperforming, state, query)
    return json_answer(records.listed(data))


def _underperforming(state: GatewayState, query: UnderperformingQuery) -> list[dict[str, Any]]:
    known = {workflow for workflow, _ in _rated_stages(state)}
    workflows = sorted(known) if query.workflow is None else [query.workflow]
    worst = worst_stages(state.quality, workflows, quality_threshold=query.quality_threshold, limit=query.limit)
    return [{**records.quality(stats), "label": label} for label, stats in worst]


async def get_events(request: Request, state: GatewayState) -> EventStream:
    """What happens, as server-sent events: decisions, outcomes, feedback, tier changes, assignments, alerts."""
    query = read_query(request, EventsQuery)
    if len(state.streams) >= MAX_STREAMS:
        raise HttpError(503, f"{MAX_STREAMS} streams are open already", "overloaded", headers={"retry-after": "5"})
    return state.streams.new(frozenset(query.kinds.split(",")))
