"""`tier-rules`: loop B. Every stage is served by a tier, and feedback moves it up or down.

The rules are those of `core/tiers.py`, over the newest ratings with no source louder than the others. Around them:

* evidence: a rule moves the stage only if it still holds with the mean moved one standard error against it, and only
  on ratings given since the last move, so that neither chance nor what is past moves it to and fro;
* probes: a small share of requests goes to the next lower tier (and to any tier passed over as failing), because going
  down needs ratings from there that nothing else collects;
* ratings from before a drift of one of the tier's models do not count;
* a tier all of whose models are failing right now is passed over, upwards first.

Within a tier the model with the best adaptive score serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from tiercel.core.beliefs.forgetting import Metric, steady_since_us
from tiercel.core.policies.adaptive_score import AdaptiveScoreSettings, ObservedScores
from tiercel.core.policies.base import DEFAULT_PROBE_SHARE, BasePolicy, Situation, mixture
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.fold import micros, segment_model_key, segment_tier_key
from tiercel.core.statistics.intervals import wilson
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.recent_ratings import RatingSummary
from tiercel.core.tiers import FULL_CONFIDENCE_SAMPLES, MIN_SAMPLES, QUALITY_THRESHOLD, Figures, TierVerdict, recommend
from tiercel.domain.catalogue import DEFAULT_TIERS, ModelProfile
from tiercel.domain.decision import Proposal
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment

_ADOPT_ABOVE = 0.7
_ENOUGH = int(_ADOPT_ABOVE * FULL_CONFIDENCE_SAMPLES) + 1
"""So many ratings give the confidence that a move needs."""


@dataclass(frozen=True, slots=True)
class TierRulesSettings:
    """`window_s`: ratings older than that do not count. `caution`: standard errors a rule must hold against.

    A model is failing when the upper bound of its recent success rate (`doubt` standard errors) is below
    `failing_below`.
    """

    tiers: tuple[str, ...] = DEFAULT_TIERS
    start_tier: str = DEFAULT_TIERS[0]
    min_samples: int = MIN_SAMPLES
    quality_threshold: float = QUALITY_THRESHOLD
    trusted_sources: frozenset[str] = frozenset()
    probe_share: float = DEFAULT_PROBE_SHARE
    window_s: float = 7 * 86_400.0
    caution: float = 1.0
    failing_below: float = 0.5
    doubt: float = 2.0
    adaptive: AdaptiveScoreSettings = field(default_factory=AdaptiveScoreSettings)


class TierRulesPolicy(BasePolicy):
    """Serves every stage by one tier and moves it on the evidence of its ratings."""

    name: ClassVar[str] = "tier-rules"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "loop B: feedback moves each workflow stage up or down between tiers"

    def __init__(self, settings: TierRulesSettings | None = None) -> None:
        self.settings = settings or TierRulesSettings()
        self._scores = ObservedScores(self.settings.adaptive)

    def propose(self, situation: Situation) -> Proposal:
        """Most of the probability on the best model of the stage's tier, the probe share below it."""
        settings = self.settings
        standing = situation.knowledge.standing(self.name, situation.segment)
        rungs = self._rungs(situation.eligible)
        tier = self._standing_tier(standing, rungs)
        failing = {model.model_id for model in situation.eligible if self._is_failing(model, situation)}
        passed_over: list[str] = []
        serving: list[ModelProfile] = []
        for candidate_tier in self._preference(tier, rungs):
            serving = [model for model in rungs[candidate_tier] if model.model_id not in failing]
            if serving:
                break
            passed_over.append(candidate_tier)
        if not serving:
            # everything fails: there is nothing better than the tier that should serve
            serving = rungs[passed_over[0]]
            passed_over = []
        scores = self._scores.score(situation, serving)
        greedy = max(scores, key=scores.__getitem__)
        probes = self._probes(tier, rungs, passed_over, serving)
        probes.pop(greedy, None)
        reason = _reason(tier, passed_over, standing)
        return mixture(situation.eligible, greedy, probes, settings.probe_share, reason=reason, scores=scores)

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        """Move the stage where the rules say so with confidence, and still do when read with caution."""
        settings = self.settings
        rungs = self._rungs(models)
        if not rungs:
            return None
        tiers = list(rungs)
        standing = knowledge.standing(self.name, segment)
        tier = self._standing_tier(standing, rungs)
        moved_us = micros(standing.changed_at) if standing else 0
        if moved_us > now_us + CLOCKS_APART_US:
            # stamped by a clock that was ahead: it does not tell what came after it
            moved_us = 0
        since_us = max(now_us - round(settings.window_s * 1e6), moved_us)
        here = self._ratings(segment, tier, rungs[tier], knowledge, (since_us, now_us))
        rank = tiers.index(tier)
        lower = tiers[rank - 1]
        below = self._ratings(segment, lower, rungs[lower], knowledge, (since_us, now_us)) if rank else None
        plain = self._verdict(tiers, tier, here, below, 0.0)
        if plain.recommended_tier == tier or plain.confidence <= _ADOPT_ABOVE:
            return None
        against = settings.caution if tiers.index(plain.recommended_tier) > rank else -settings.caution
        if self._verdict(tiers, tier, here, below, against).recommended_tier != plain.recommended_tier:
            return None
        evidence = {"samples": here.samples, "quality": here.mean or 0.0, "sources": float(here.sources)}
        if below is not None and below.mean is not None:
            evidence |= {"lower_samples": below.samples, "lower_quality": below.mean}
        return StandingChange(
            changed_at=datetime.fromtimestamp(now_us / 1e6, UTC),
            segment=segment,
            policy=self.name,
            previous=tier,
            current=plain.recommended_tier,
            reason=plain.reason,
            confidence=plain.confidence,
            revision=standing.revision + 1 if standing else 1,
            evidence=evidence,
        )

    def _verdict(
        self, tiers: Sequence[str], tier: str, here: RatingSummary, below: RatingSummary | None, shift: float
    ) -> TierVerdict:
        """The rule of core/tiers.py with every mean moved by `shift` of its standard errors."""
        return recommend(
            tier,
            _figures(here, shift),
            _figures(below, shift),
            tiers=tiers,
            min_samples=self.settings.min_samples,
            quality_threshold=self.settings.quality_threshold,
        )

    def _ratings(
        self,
        segment: Segment,
        tier: str,
        models: Sequence[ModelProfile],
        knowledge: Knowledge,
        window_us: tuple[int, int],
    ) -> RatingSummary:
        """The ratings of a tier in the window, since none of its models' quality drifted."""
        settings, (since_us, now_us) = self.settings, window_us
        names = [model.model_id for model in models]
        drifted_us = steady_since_us(knowledge, Metric.QUALITY, segment, names, now_us)
        since_us = max(since_us, drifted_us)
        ratings = knowledge.ratings(segment_tier_key(segment, tier))
        return ratings.summary(since_us=since_us, now_us=now_us, enough=_ENOUGH, trusted=settings.trusted_sources)

    def _rungs(self, models: Sequence[ModelProfile]) -> dict[str, list[ModelProfile]]:
        """The models by tier, lowest tier first; tiers without a model are absent."""
        rungs: dict[str, list[ModelProfile]] = {}
        for tier in self.settings.tiers:
            members = [model for model in models if model.tier == tier]
            if members:
                rungs[tier] = members
        return rungs

    def _standing_tier(self, standing: StandingChange | None, rungs: dict[str, list[ModelProfile]]) -> str:
        """The tier the stage stands at: where no model has that tier, the one that serves in its place."""
        return self._preference(standing.current if standing else self.settings.start_tier, rungs)[0]

    def _preference(self, tier: str, rungs: dict[str, list[ModelProfile]]) -> list[str]:
        """The tier itself, then the higher ones upwards, then the lower ones downwards."""
        order = self.settings.tiers
        rank = order.index(tier) if tier in order else 0
        return [t for t in (*order[rank:], *reversed(order[:rank])) if t in rungs]

    def _is_failing(self, model: ModelProfile, situation: Situation) -> bool:
        settings = self.settings
        recent = situation.knowledge.outcomes(segment_model_key(situation.segment, model.model_id))
        if not recent:
            return False
        since_us = situation.now_us - round(settings.adaptive.window_s * 1e6)
        fewest = settings.adaptive.config.min_requests_for_performance
        seen = recent.summary(since_us, fewest, now_us=situation.now_us)
        if seen.requests < fewest:
            return False
        return wilson(seen.successes, seen.requests, settings.doubt)[1] < settings.failing_below

    def _probes(
        self,
        tier: str,
        rungs: dict[str, list[ModelProfile]],
        passed_over: Sequence[str],
        serving: Sequence[ModelProfile],
    ) -> dict[str, float]:
        """Who gets probes: the serving tier's other models, the next lower tier, and what is passed over as failing."""
        order = self.settings.tiers
        rank = order.index(tier) if tier in order else 0
        below = next((rungs[t] for t in reversed(order[:rank]) if t in rungs), [])
        failing = [model for passed in passed_over for model in rungs[passed]]
        siblings = rungs[serving[0].tier]
        return {model.model_id: 1.0 for model in (*siblings, *below, *failing)}


def _figures(ratings: RatingSummary | None, shift: float) -> Figures | None:
    if ratings is None or ratings.mean is None:
        return None
    return ratings.samples, ratings.mean + shift * ratings.standard_error


def _reason(tier: str, passed_over: Sequence[str], standing: StandingChange | None) -> str:
    since = f"since {standing.changed_at.isoformat(timespec='seconds')}: {standing.reason}" if standing else "to start"
    failing = f"; passed over as failing: {', '.join(passed_over)}" if passed_over else ""
    return f"tier {tier} {since}{failing}"
