"""What comes back after the call: POST /v1/feedback and POST /v1/outcomes.

Both are acknowledged when they are durable and learned. While the store is away they are acknowledged as buffered once
the outbox has them (without one, after a short wait in memory), and refused only when it is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from tiercel.apps.gateway.answers import json_answer
from tiercel.apps.gateway.errors import HttpError, invalid
from tiercel.apps.gateway.state import GatewayState
from tiercel.apps.gateway.validation import Body, Metadata, Name, Time, problems_of, read_json, under, validated
from tiercel.config.problems import shown
from tiercel.domain.errors import InvalidInput, NotFound, Problem, UnknownModel
from tiercel.domain.events import Event, Feedback
from tiercel.library.router import AsyncRouter
from tiercel.services.delivering.receipts import Receipt
from tiercel.services.rating.intake import FeedbackRequest

ACKNOWLEDGE_S = 1.0
"""How long an acknowledgement waits for the store before what was sent counts as buffered in memory."""
KEEP_S = 10.0
"""The same where there is an outbox: longer than a store that hangs takes, so that what is acknowledged is kept."""
MAX_RATINGS = 10_000

_RATINGS = ("quality", "passed", "stars")
_SUBJECTS = ("decision_id", "completion_id")
_STAGE = ("workflow", "stage", "tier", "model")

Quality = Annotated[float, Field(ge=0, le=1)]
Tokens = Annotated[int, Field(ge=0, le=10**12)]
Milliseconds = Annotated[float, Field(ge=0, le=1e12)]


class FeedbackBody(Body):
    """One rating, in any of its forms; which fields go together is checked by `_form_problems`."""

    decision_id: Name = ""
    completion_id: Name = ""
    workflow: Name = ""
    stage: Name = ""
    tier: Name = ""
    model: Name = ""
    quality: Quality = 0.0
    passed: bool = False
    stars: Annotated[int, Field(ge=1, le=5)] = 1
    source: Name = ""
    metadata: Metadata = Field(default_factory=dict)
    id: Name = ""
    timestamp: Time | None = None

    def request(self) -> FeedbackRequest:
        """The rating as the intake takes it: stars s are (s - 1) / 4."""
        quality = self.quality
        if "passed" in self.model_fields_set:
            quality = 1.0 if self.passed else 0.0
        elif "stars" in self.model_fields_set:
            quality = (self.stars - 1) / 4
        return FeedbackRequest(
            quality=quality,
            decision_id=self.decision_id,
            completion_id=self.completion_id,
            workflow=self.workflow,
            stage=self.stage,
            tier=self.tier,
            model=self.model,
            source=self.source,
            metadata=self.metadata,
            id=self.id,
            given_at=self.timestamp,
        )


class OutcomeBody(Body):
    """What a call did that somebody else made."""

    decision_id: Name
    success: bool
    latency_ms: Milliseconds
    model: Name = ""
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    cost_usd: Annotated[float, Field(ge=0, le=1e9)] | None = None
    first_token_ms: Milliseconds | None = None
    error: Name = ""
    completion_id: Name = ""


async def post_feedback(request: Request, state: GatewayState) -> Response:
    """Rate one answer, or a list of them: all are taken or none."""
    body = await read_json(request, state)
    several = isinstance(body, list)
    # a thread: an old decision is looked up in the store, which must not stop the loop
    events = await asyncio.to_thread(_prepare, body if several else [body], state, "[{}]" if several else "")
    receipt = await acknowledged(state.router, events)
    if receipt is not None and receipt.conflicts:
        raise _conflict(events, receipt, several=several)
    new = {event.id for event in receipt.accepted} if receipt else {event.id for event in events}
    entries = [_entry(event, buffered=receipt is None) for event in events]
    return json_answer(entries if several else entries[0], 202 if new else 200)


async def post_outcome(request: Request, state: GatewayState) -> Response:
    """Report what a call did that the caller made itself."""
    body = validated(OutcomeBody, await read_json(request, state))
    given: dict[str, Any] = body.model_dump(exclude={"decision_id"})
    router = state.router.core
    decision, _, _ = await asyncio.to_thread(router.find, body.decision_id)
    outcome = router.outcome(decision, **given)
    receipt = await acknowledged(state.router, [outcome])
    entry: dict[str, Any] = {"decision_id": decision.id, "model": outcome.model, "cost_usd": outcome.cost_usd}
    if receipt is None:
        entry["buffered"] = True
    return json_answer(entry, 202 if receipt is None or receipt.accepted else 200)


def _prepare(bodies: Sequence[object], state: GatewayState, path: str) -> list[Feedback]:
    """The events of all ratings. Raises 422 or 413 with every problem of every one, 404 for an unknown decision."""
    if not bodies:
        raise invalid([Problem("", "must hold at least one rating", "[]", "range")])
    if len(bodies) > MAX_RATINGS:
        raise invalid([Problem("", f"must hold at most {MAX_RATINGS} ratings", str(len(bodies)), "limit")])
    events: list[Feedback] = []
    problems: list[Problem] = []
    for i, body in enumerate(bodies):
        prefix = path.format(i)
        read, found = problems_of(FeedbackBody, body)
        found = [*_form_problems(body), *found]
        if isinstance(read, FeedbackBody) and not found:
            try:
                events.append(_event(read, state))
            except InvalidInput as error:
                found = list(error.problems)
            except NotFound as error:
                code = "model_not_found" if isinstance(error, UnknownModel) else "not_found"
                (at,) = under(prefix, [Problem(_subject(read), "")])
                raise HttpError(404, str(error), code, param=at.path) from error
        problems += under(prefix, found)
    if problems:
        raise invalid(problems)
    return events


def _event(body: FeedbackBody, state: GatewayState) -> Feedback:
    if body.model and state.router.core.catalogue.get(body.model) is None:
        raise UnknownModel(body.model)
    if body.source in state.judge_sources:
        told = "is a judge of this gateway, for whom tiercel alone speaks: name another source"
        raise InvalidInput([Problem("source", told, repr(body.source), "value")])
    return state.router.intake.prepare(body.request())


def _subject(body: FeedbackBody) -> str:
    return next((name for name in _SUBJECTS if name in body.model_fields_set), "model")


def _form_problems(body: object) -> list[Problem]:
    """What is wrong with the fields that were given together, whatever is in them."""
    if not isinstance(body, dict):
        return []
    problems: list[Problem] = []
    rated = [name for name in _RATINGS if name in body]
    if not rated:
        problems.append(Problem("quality", "is required (or passed, or stars)", "", "missing"))
    problems += [Problem(name, f"excludes {rated[0]}: give one of them", shown(body[name])) for name in rated[1:]]
    subjects = [name for name in _SUBJECTS if name in body]
    if subjects:
        surplus = [name for name in (*subjects[1:], *_STAGE) if name in body]
        told = f"goes without {subjects[0]}, which says what is rated"
        return problems + [Problem(name, told, shown(body[name])) for name in surplus]
    problems += [
        Problem(name, "is required (or decision_id, or completion_id)", "", "missing")
        for name in ("workflow", "stage")
        if name not in body
    ]
    if "tier" not in body and "model" not in body:
        problems.append(Problem("tier", "is required (or model)", "", "missing"))
    elif "tier" in body and "model" in body:
        problems.append(Problem("tier", "excludes model, which has a tier", shown(body["tier"])))
    return problems


async def acknowledged(router: AsyncRouter, events: Sequence[Event]) -> Receipt | None:
    """What became of the events, or None while they wait for a store that is away. Raises `BufferFull`."""
    within_s = KEEP_S if router.learner.delivery.keeping.outbox is not None else ACKNOWLEDGE_S
    try:
        # shielded: who stops waiting must not cancel what others are committed with
        receipt = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(router.intake.commit(*events))), within_s)
    except TimeoutError:
        return None
    return None if receipt.kept else receipt


def _entry(event: Feedback, *, buffered: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"feedback_id": event.id}
    if buffered:
        entry["buffered"] = True
    if event.clamped:
        entry["clamped"] = True
    return entry


def _conflict(events: Sequence[Event], receipt: Receipt, *, several: bool) -> HttpError:
    """409: an id was used before for another rating. In a list the others stand."""
    places = [i for i, event in enumerate(events) if event.id in receipt.conflicts]
    problems = [
        Problem(f"[{i}].id" if several else "id", "was used before for another rating", repr(events[i].id))
        for i in places
    ]
    message = "; ".join(str(problem) for problem in problems[:10])
    if several:
        message += f"; the other {len(events) - len(places)} ratings of the list are recorded"
    return HttpError(409, message, "conflict", param=problems[0].path, details=problems[:100])
