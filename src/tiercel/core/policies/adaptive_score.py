"""`adaptive-score`: loop A per request. Capability, corrected by what the models did lately, decides.

The score is the one of `core/adaptive.py`, over the newest outcomes instead of all of them: so a mended model recovers
and a broken one is noticed within tens of requests. Two things keep it steady: the model that serves the segment now is
given the benefit of the doubt at the thresholds, and a challenger has to beat it by `switch_margin` points. A small
share of probes keeps the statistics of the others fresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from tiercel.core.adaptive import AdaptiveConfig, adaptive_score
from tiercel.core.beliefs.forgetting import Metric, steady_since_us
from tiercel.core.capability import match_score
from tiercel.core.policies.base import DEFAULT_PROBE_SHARE, BasePolicy, Situation, mixture
from tiercel.core.statistics.fold import segment_model_key
from tiercel.core.statistics.intervals import wilson
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Proposal

_CACHED_MATCHES = 10_000


@dataclass(frozen=True, slots=True)
class AdaptiveScoreSettings:
    """`window_s`: outcomes older than that count only where there are fewer than the configured minimum of newer ones.

    So do those from before the model's latency drifted.

    `doubt` is the number of standard errors an incumbent's success rate must be below the threshold before it is
    penalised; `latency_tolerance` the same for its mean latency, as a fraction. `switch_margin` is in points of 100.
    """

    config: AdaptiveConfig = field(default_factory=AdaptiveConfig)
    window_s: float = 3600.0
    probe_share: float = DEFAULT_PROBE_SHARE
    switch_margin: float = 2.0
    doubt: float = 2.0
    latency_tolerance: float = 0.1


class ObservedScores:
    """Scores models for a situation from their capability and their newest outcomes."""

    def __init__(self, settings: AdaptiveScoreSettings) -> None:
        self.settings = settings
        self._matches: dict[tuple[object, ...], float] = {}

    def score(self, situation: Situation, models: Iterable[ModelProfile]) -> dict[str, float]:
        """The adaptive score (0..100) of `models`; about 2 us each."""
        return {model.model_id: self._score(model, situation) for model in models}

    def match(self, model: ModelProfile, situation: Situation) -> float:
        """The capability match (0..100)."""
        request = situation.request
        question = (model.model_id, request.requires, request.prefers, request.min_context_length)
        found = self._matches.get(question)
        if found is None:
            if len(self._matches) >= _CACHED_MATCHES:
                self._matches.clear()
            found = match_score(request.requires, request.prefers, request.min_context_length, model)
            self._matches[question] = found
        return found

    def _score(self, model: ModelProfile, situation: Situation) -> float:
        settings, config = self.settings, self.settings.config
        recent = situation.knowledge.outcomes(segment_model_key(situation.segment, model.model_id))
        segment, models, now_us = situation.segment, (model.model_id,), situation.now_us
        drifted_us = steady_since_us(situation.knowledge, Metric.LATENCY, segment, models, now_us)
        since_us = max(now_us - round(settings.window_s * 1e6), drifted_us)
        seen = recent.summary(since_us, config.min_requests_for_performance, now_us=situation.now_us)
        rate, latency_ms = seen.success_rate, seen.mean_latency_ms
        if rate is not None and model.model_id == situation.incumbent:
            if rate < config.min_acceptable_success_rate:
                _, upper = wilson(seen.successes, seen.requests, settings.doubt)
                rate = min(config.min_acceptable_success_rate, upper)
            if latency_ms is not None and latency_ms > config.max_acceptable_latency_ms:
                latency_ms = max(config.max_acceptable_latency_ms, latency_ms * (1 - settings.latency_tolerance))
        return adaptive_score(self.match(model, situation), seen.requests, rate, latency_ms, config)


class AdaptiveScorePolicy(BasePolicy):
    """The best-scored model, with probes to the others."""

    name: ClassVar[str] = "adaptive-score"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "loop A: capability corrected by recent success and latency, per request"

    def __init__(self, settings: AdaptiveScoreSettings | None = None) -> None:
        self.settings = settings or AdaptiveScoreSettings()
        self._scores = ObservedScores(self.settings)

    def propose(self, situation: Situation) -> Proposal:
        """Most of the probability on the best score; ties go to the model registered first."""
        scores = self._scores.score(situation, situation.eligible)
        best = max(scores, key=scores.__getitem__)
        incumbent = situation.incumbent
        reason = f"the best score, {scores[best]:.4g} of 100"
        if (
            incumbent != best
            and incumbent in scores
            and scores[best] <= scores[incumbent] + self.settings.switch_margin
        ):
            reason = f"serves this segment already; {best} is not better by {self.settings.switch_margin:g} points"
            best = incumbent
        probes = {model_id: 1.0 for model_id in scores if model_id != best}
        return mixture(situation.eligible, best, probes, self.settings.probe_share, reason=reason, scores=scores)
