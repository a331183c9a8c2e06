"""Small worlds for policies to act in: models that succeed, answer and please as told, and what is learned of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tiercel.core.policies.base import Policy, Situation, draw
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.decision import Candidate, Proposal
from tiercel.domain.events import Feedback, Outcome
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.testing import ManualClock

SEGMENT = stage_segment("review", "analysis")


def model(model_id: str, tier: str, strength: float = 0.8) -> ModelProfile:
    """A model that is equally good at everything asked of it in these tests."""
    return ModelProfile(
        model_id=model_id, tier=tier, capabilities={"general": strength}, context_length=8192, price=Price(1.0, 2.0)
    )


THREE_TIERS = (model("small", "cheap"), model("middle", "capable"), model("large", "premium"))


@dataclass
class World:
    """Plays requests through one policy. `success` and `quality` say what a model does at a request's number."""

    policy: Policy
    models: Sequence[ModelProfile] = THREE_TIERS
    success: Callable[[str, int], float] = lambda _model_id, _n: 1.0
    quality: Callable[[str, int], float | None] = lambda _model_id, _n: None
    latency_ms: float = 100.0
    step_s: float = 1.0
    seed: int = 0
    source: str = "evaluator"
    clock: ManualClock = field(default_factory=ManualClock)
    knowledge: Knowledge = field(default_factory=Knowledge)
    played: int = 0
    incumbent: str = ""
    chosen: list[Candidate] = field(default_factory=list)
    greedy: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def propose(self, request: RequestContext | None = None) -> Proposal:
        """What the policy proposes now."""
        request = request or RequestContext(workflow="review", stage="analysis", requires=("general",))
        now_us = micros(self.clock.now())
        situation = Situation(request, SEGMENT, tuple(self.models), self.knowledge, self.incumbent, now_us)
        return self.policy.propose(situation)

    def play(self, requests: int) -> None:
        """Decide, call, rate, learn, review: `requests` times."""
        for _ in range(requests):
            proposal = self.propose()
            self.incumbent = proposal.greedy
            candidate = draw(proposal, self._random.random())
            self.chosen.append(candidate)
            self.greedy.append(proposal.greedy)
            self.happen(candidate.model_id)
            self.played += 1
            self.clock.advance(self.step_s)

    def happen(self, model_id: str) -> None:
        """What follows from one call to a model."""
        tier = next(m.tier for m in self.models if m.model_id == model_id)
        success = self._random.random() < self.success(model_id, self.played)
        events: list[Outcome | Feedback] = [
            Outcome(
                decision_id=f"d{self.played}",
                recorded_at=self.clock.now(),
                segment=SEGMENT,
                model=model_id,
                tier=tier,
                success=success,
                latency_ms=self.latency_ms,
            )
        ]
        quality = self.quality(model_id, self.played)
        if quality is not None:
            events.append(self.rating(tier, quality, model_id=model_id))
        self.knowledge.add(fold(events))
        self.review()

    def rating(self, tier: str, quality: float, *, model_id: str = "", source: str = "", number: int = -1) -> Feedback:
        """A rating given now."""
        return Feedback(
            id=f"f{self.played}/{source}/{number}",
            recorded_at=self.clock.now(),
            segment=SEGMENT,
            tier=tier,
            quality=quality,
            model=model_id,
            source=source or self.source,
        )

    def review(self) -> None:
        """Let the policy draw its conclusions."""
        change = self.policy.review(SEGMENT, self.models, self.knowledge, micros(self.clock.now()))
        if change is not None:
            self.knowledge.add(fold([change]))

    @property
    def tier(self) -> str:
        """The tier that tier-rules serves the stage with."""
        standing = self.knowledge.standing("tier-rules", SEGMENT)
        if standing is not None:
            return standing.current
        assert isinstance(self.policy, TierRulesPolicy)
        return self.policy.settings.start_tier

    def flips(self) -> int:
        """How often the believed best model changed."""
        return sum(1 for a, b in zip(self.greedy, self.greedy[1:], strict=False) if a != b)
