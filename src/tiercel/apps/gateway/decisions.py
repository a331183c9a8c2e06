"""Deciding without calling, and what became of decisions: /v1/decisions."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway import records
from tiercel.apps.gateway.answers import json_answer, request_id_of
from tiercel.apps.gateway.context import CHARACTERS_PER_TOKEN
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.feedback import Tokens
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Body, Limit, Name, Names, Query, read_json, read_query, validated
from tiercel.core.adaptive import AdaptiveScorer
from tiercel.core.eligibility import parted
from tiercel.domain.catalogue import Agent
from tiercel.domain.decision import Decision
from tiercel.domain.errors import NoEligibleModel, UnknownModel
from tiercel.domain.names import MAX_NAMES
from tiercel.domain.request import DEFAULT_NAME, TASK_CAPABILITIES, RequestContext
from tiercel.ports import DecisionRecord
from tiercel.services.deciding.routes import Plan
from tiercel.services.watching.decision_pages import Cursor, Wanted, decision_page

Figures = Annotated[dict[Name, Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=MAX_NAMES)]


class DecisionBody(Body):
    """What a decision may depend on. `models` narrows the choice to some of the route's models."""

    workflow: Name = ""
    stage: Name = ""
    agent_id: Name = ""
    session_id: Name = ""
    task: Name = ""
    requires: Names = Field(default_factory=list)
    prefers: Names = Field(default_factory=list)
    require_all: bool = False
    prompt: str = ""
    prompt_tokens: Tokens = 0
    models: Names = Field(default_factory=list)
    features: Figures = Field(default_factory=dict)


class RecentQuery(Query):
    """How many of the newest, before which place, and what they have to be."""

    limit: Limit = 50
    before: str | None = None
    workflow: Name | None = None
    stage: Name | None = None
    model: Name | None = None
    policy: Name | None = None
    tier: Name | None = None
    agent: Name | None = None


async def post_decision(request: Request, state: GatewayState) -> Response:
    """Choose a model for a caller who calls it himself."""
    body = validated(DecisionBody, await read_json(request, state))
    context = RequestContext(
        workflow=body.workflow,
        stage=body.stage,
        agent_id=body.agent_id,
        session_id=body.session_id,
        requires=tuple(body.requires) or TASK_CAPABILITIES.get(body.task, ()),
        prefers=tuple(body.prefers),
        require_all=body.require_all,
        prompt_tokens=body.prompt_tokens or len(body.prompt) // CHARACTERS_PER_TOKEN,
        prompt=body.prompt,
        features=body.features,
    )
    plan = _narrowed(context, body.models, state) if body.models else None
    try:
        decision = state.router.core.decide(context, request_id=request_id_of(request.scope), plan=plan)
    except NoEligibleModel as error:
        state.alerting.note_no_models(error.reasons)
        raise
    return json_answer(records.decision(decision))


async def get_decisions(request: Request, state: GatewayState) -> Response:
    """The newest decisions, newest first; `next` goes on before them, as long as there are any."""
    query = read_query(request, RecentQuery)
    before = None if query.before is None else Cursor.parse(query.before)
    wanted = Wanted(
        workflow=query.workflow,
        stage=query.stage,
        model=query.model,
        policy=query.policy,
        tier=query.tier,
        agent_id=query.agent,
    )
    return json_answer(await asyncio.to_thread(_recent, state, query.limit, before, wanted))


async def get_decision(request: Request, state: GatewayState) -> Response:
    """A decision with its candidates, outcomes and the feedback so far.

    Where it says what the request required, each candidate's capability score stands beside the score that its calls
    until now make of it.
    """
    read_query(request, Query)
    record = await asyncio.to_thread(_record, state, request.path_params["decision_id"])
    made = records.decision(record.decision)
    scores = _scores(state, record.decision)
    return json_answer(
        {
            **made,
            "candidates": [{**candidate, "scores": scores.get(candidate["model"])} for candidate in made["candidates"]],
            "outcomes": [records.outcome(outcome) for outcome in record.outcomes],
            "feedback": [records.whole_feedback(feedback) for feedback in record.feedback],
        }
    )


def _narrowed(context: RequestContext, models: list[str], state: GatewayState) -> Plan:
    """The plan of the request's stage with no other models than these. Raises 404 for one that does not exist."""
    table = state.router.core.table
    for i, model_id in enumerate(models):
        if table.catalogue.get(model_id) is None:
            raise HttpError(404, str(UnknownModel(model_id)), "model_not_found", param=f"models[{i}]")
    plan = table.plan(context.workflow or DEFAULT_NAME, context.stage or DEFAULT_NAME)
    left, refused = parted(
        plan.models, lambda model: None if model.model_id in models else "not among the models asked for"
    )
    return replace(plan, models=left, excluded=(*refused, *plan.excluded))


def _recent(state: GatewayState, limit: int, before: Cursor | None, wanted: Wanted) -> dict[str, object]:
    if before is None:
        state.settle()
    page = decision_page(state.router.store, limit, before=before, wanted=wanted)
    following = None if page.next is None else str(page.next)
    return records.listed(
        [records.decision(decision) for decision in page.decisions], next=following, looked_at=page.looked_at
    )


def _scores(state: GatewayState, decision: Decision) -> dict[str, dict[str, Any]]:
    """Loop A's score of each candidate for what the request required; none where it required nothing."""
    if not decision.requires:
        return {}
    known = state.router.core.agents.get(decision.agent_id)
    needs = Agent(agent_id=decision.agent_id or "request", required=decision.requires)
    if known is not None and tuple(known.required) == tuple(decision.requires):
        needs = known
    scorer = AdaptiveScorer(state.performance, state.settings.adaptive)
    models = [state.router.core.catalogue.get(c.model_id) for c in decision.proposal.candidates]
    return {model.model_id: asdict(scorer.score_with_feedback(needs, model)) for model in models if model}


def _record(state: GatewayState, decision_id: str) -> DecisionRecord:
    state.settle()
    decision, _, _ = state.router.core.find(decision_id)
    return state.router.learner.decision(decision_id) or DecisionRecord(decision, (), ())
