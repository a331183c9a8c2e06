"""Scripted traffic: calls as a real router records them, given out again under ids, names and times of their own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tiercel import ModelProfile, Price, Router
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import stage_segment

TEMPLATES = 200
STAGES = 5
USERS = 50
TIERS = ("cheap", "capable", "premium")
PROMPT = "Summarise this text, please: one two three 4 5 6. "

Call = tuple[Decision, Outcome, Feedback]


def models(count: int) -> list[ModelProfile]:
    """So many, of three tiers."""
    return [
        ModelProfile(
            model_id=f"provider/model-{number:02d}",
            tier=TIERS[number % len(TIERS)],
            context_length=32_768,
            price=Price(0.1 * (number + 1), 0.4 * (number + 1)),
        )
        for number in range(count)
    ]


class Script:
    """Calls that chose among `candidates` models, each with its outcome and a rating; the same ones at each run."""

    def __init__(self, candidates: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self.models = models(candidates)
        events: list[Event] = []
        with Router(models=self.models, policy="contextual", store="memory://", seed=seed) as router:
            router.learner.subscribe(lambda appended: events.extend(appended.accepted))
            for number in range(TEMPLATES):
                decision = router.decide("work", f"stage-{number % STAGES}", prompt=PROMPT * 5)
                latency_ms, tokens = self._chance.lognormvariate(6, 0.5), self._chance.randrange(20, 400)
                router.record_outcome(
                    decision.id, success=True, latency_ms=latency_ms, prompt_tokens=80, completion_tokens=tokens
                )
                router.record_feedback(decision.id, self._chance.random(), source=f"user:{number % USERS}")
            router.learner.flush()
        kinds = [[event for event in events if isinstance(event, kind)] for kind in (Decision, Outcome, Feedback)]
        self._calls: Sequence[Call] = list(zip(*kinds, strict=True))

    def call(self, who: int, number: int, at: datetime, *, segments: int, model: ModelProfile | None = None) -> Call:
        """The `number`-th call of gateway `who`, in any of so many segments; of `model`, where that is given."""
        decision, outcome, rating = self._calls[number % TEMPLATES]
        decision_id = f"dec_{who:08x}{number:036x}"
        segment = stage_segment("work", f"stage-{self._chance.randrange(segments):04d}")
        model_id, tier = (outcome.model, outcome.tier) if model is None else (model.model_id, model.tier)
        told: dict[str, Any] = {
            "segment": segment,
            "decision_id": decision_id,
            "recorded_at": at,
            "model": model_id,
            "tier": tier,
        }
        latency_ms = self._chance.lognormvariate(6, 0.5)
        return (
            replace(decision, id=decision_id, segment=segment, decided_at=at),
            replace(outcome, **told, latency_ms=latency_ms, completion_id=f"chatcmpl-{who:08x}{number:020x}"),
            replace(rating, **told, id=f"feedback_{who:08x}{number:036x}"),
        )
