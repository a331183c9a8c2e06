"""Feedback on its way in: checked, attributed to the decision that caused it, logged.

It may be late, repeated, revised or hostile; that is normal. An id seen before has no second effect; the same source
rating the same decision again revises its rating (the store links the two); the weight of a source is the statistics'
business (core/statistics/voices.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from tiercel.core.beliefs.labels import label_of
from tiercel.domain.errors import InvalidInput, Problem, StoreError
from tiercel.domain.events import MAX_FIGURE, Event, Feedback, Label
from tiercel.domain.names import name_problem
from tiercel.domain.quality import as_quality
from tiercel.domain.request import Segment, stage_segment
from tiercel.ports import Telemetry
from tiercel.services.deciding.router import Router
from tiercel.services.delivering.receipts import Receipt
from tiercel.services.ids import new_feedback_id
from tiercel.services.learning.learner import Learner

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_KEYS = 64
MAX_METADATA_LEVELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRequest:
    """A rating as it arrives: of a decision, of a completion, or of a stage served by a tier or model.

    `quality` is in 0..1. `given_at` is when the rating was given, where that is not now.
    """

    quality: float
    decision_id: str = ""
    completion_id: str = ""
    workflow: str = ""
    stage: str = ""
    tier: str = ""
    model: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    given_at: datetime | None = None


class FeedbackIntake:
    """Turns ratings into events and logs them."""

    def __init__(
        self,
        router: Router,
        learner: Learner,
        *,
        new_id: Callable[[], str] = new_feedback_id,
        retention_s: float,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._router = router
        self._learner = learner
        self._new_id = new_id
        self._retention_s = retention_s
        self._telemetry = telemetry

    def prepare(self, request: FeedbackRequest) -> Feedback:
        """The event of a rating.

        Raises `InvalidInput` with every problem, `UnknownDecision`, `UnknownModel`.
        """
        problems = [*_name_problems(request), *metadata_problems(request.metadata)]
        quality = as_quality(request.quality)
        if quality is None:
            problems.insert(0, Problem("quality", "must be a number in 0..1", repr(request.quality)[:80], "range"))
        now = self._learner.clock.now()
        given_at, clamped = now, False
        if request.given_at is not None:
            clamped = request.given_at > now
            given_at = min(request.given_at, now)
            if (now - given_at).total_seconds() > self._retention_s:
                found = request.given_at.isoformat()
                problems.append(Problem("timestamp", "is older than feedback is kept", found, "range"))
        if problems or quality is None:
            raise InvalidInput(problems)
        segment, model, tier, decision_id, label = self._subject(request)
        return Feedback(
            id=request.id or self._new_id(),
            recorded_at=given_at,
            segment=segment,
            tier=tier,
            quality=quality,
            model=model,
            decision_id=decision_id,
            source=request.source,
            metadata=request.metadata,
            clamped=clamped,
            label=label,
        )

    def send(self, requests: Sequence[FeedbackRequest]) -> tuple[list[Feedback], Future[Receipt]]:
        """Log ratings together; the future is done when they are durable. All of them or none."""
        events = [self.prepare(request) for request in requests]
        return events, self.commit(*events)

    def commit(self, *events: Event) -> Future[Receipt]:
        """Log what was prepared, and tell telemetry of it. As `Learner.send`."""
        logged = self._learner.send(*events)
        if self._telemetry is not None:
            logged.add_done_callback(partial(_tell, self._telemetry, events))
        return logged

    def _subject(self, request: FeedbackRequest) -> tuple[Segment, str, str, str, Label]:
        decision_id = request.decision_id
        if request.completion_id and not decision_id:
            decision_id = self._router.decision_of_completion(request.completion_id)
        if decision_id:
            decision, model, tier = self._router.find(decision_id)
            return decision.segment, model, tier, decision_id, label_of(decision, model, self._learner.knowledge)
        tier, model = request.tier, request.model
        if model:
            profile = self._router.catalogue.get(model)
            if profile is None:
                raise InvalidInput([Problem("model", "is no model of the catalogue", repr(model), "unknown")])
            tier = profile.tier
        elif tier not in self.tiers:
            raise InvalidInput([Problem("tier", f"must be one of {', '.join(self.tiers)}", repr(tier), "unknown")])
        return stage_segment(request.workflow, request.stage), model, tier, "", Label()

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers a rating may name."""
        return self._router.catalogue.tiers


def _tell(telemetry: Telemetry, events: Sequence[Event], committing: Future[Receipt]) -> None:
    """Tell of the ratings that were new; of those that wait for a store that is away, that is not known yet."""
    try:
        receipt = committing.result()
    except (CancelledError, StoreError):
        return
    for event in events if receipt.kept else receipt.accepted:
        if isinstance(event, Feedback):
            telemetry.rated(event)


def _name_problems(request: FeedbackRequest) -> list[Problem]:
    names: dict[str, str] = {}
    if not (request.decision_id or request.completion_id):
        names = {"workflow": request.workflow, "stage": request.stage}
        names |= {"model": request.model} if request.model else {"tier": request.tier}
    optional = {"decision_id", "completion_id", "source", "id"}
    names |= {name: value for name in sorted(optional) if (value := getattr(request, name))}
    return [problem for name, value in names.items() if (problem := name_problem(name, value))]


def outcome_problems(
    latency_ms: object, prompt_tokens: object, completion_tokens: object, cost_usd: object
) -> list[Problem]:
    """What is wrong with the figures of an outcome: 0..1e12, tokens whole, None where unknown."""
    problems = []
    figures = (("latency_ms", latency_ms), ("cost_usd", 0.0 if cost_usd is None else cost_usd))
    for name, value in figures:
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(Problem(name, "must be a number in 0..1e12", repr(value)[:80], "type"))
        elif not 0 <= value <= MAX_FIGURE:
            problems.append(Problem(name, "must be a number in 0..1e12", repr(value), "range"))
    for name, tokens in (("prompt_tokens", prompt_tokens), ("completion_tokens", completion_tokens)):
        if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int)):
            problems.append(Problem(name, "must be a whole number in 0..1e12", repr(tokens)[:80], "type"))
        elif tokens is not None and not 0 <= tokens <= MAX_FIGURE:
            problems.append(Problem(name, "must be a whole number in 0..1e12", repr(tokens), "range"))
    return problems


def metadata_problems(metadata: Mapping[str, Any]) -> list[Problem]:
    """What exceeds the limits on metadata: 16 KB of JSON, 64 keys, 8 levels."""
    if len(metadata) > MAX_METADATA_KEYS:
        return [Problem("metadata", f"must have at most {MAX_METADATA_KEYS} keys", str(len(metadata)), "range")]
    levels = _levels(metadata, MAX_METADATA_LEVELS + 1)
    if levels > MAX_METADATA_LEVELS:
        return [Problem("metadata", f"must have at most {MAX_METADATA_LEVELS} levels", f"{levels} or more", "range")]
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        return [Problem("metadata", f"must be JSON: {error}", "", "type")]
    if size > MAX_METADATA_BYTES:
        return [Problem("metadata", f"must be at most {MAX_METADATA_BYTES} bytes of JSON", f"{size} bytes", "limit")]
    return []


def _levels(value: object, at_most: int) -> int:
    """How deeply `value` is nested, counted no further than `at_most`."""
    if at_most == 0 or not isinstance(value, Mapping | list | tuple):
        return 0
    inner = value.values() if isinstance(value, Mapping) else value
    return 1 + max((_levels(item, at_most - 1) for item in inner), default=0)
