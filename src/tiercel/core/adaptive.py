"""The capability score corrected by observed success and latency, with penalties.

score = capability * 0.60 + success_rate * 100 * 0.25 + latency_score * 0.15, then halved if the success rate is below
the acceptable one, then x 0.8 if the mean latency is above it. Nothing is corrected before there are requests enough.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Protocol

from tiercel.core.capability import SCORE_DIGITS, CapabilityScorer
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.matching import AdaptiveScore, CapabilityMatch, Penalty

LOW_SUCCESS_RATE = Penalty("low_success_rate", 0.5)
HIGH_LATENCY = Penalty("high_latency", 0.8)
WEIGHT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveConfig:
    """How much observed performance weighs, and where it is no longer acceptable.

    The weights are >= 0 and sum to 1 within 0.01. `min_acceptable_success_rate` is in (0, 1],
    `max_acceptable_latency_ms` is above 0, `min_requests_for_performance` is a whole number above 0.
    Raises `InvalidInput` with every problem at once.
    """

    capability_weight: float = 0.60
    success_rate_weight: float = 0.25
    latency_weight: float = 0.15
    min_acceptable_success_rate: float = 0.90
    max_acceptable_latency_ms: float = 500.0
    min_requests_for_performance: int = 10

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        problems = [p for name, value in values.items() if (p := _problem(name, value)) is not None]
        weights = [name for name in values if name.endswith("_weight")]
        if not any(p.path in weights for p in problems):
            total = round(sum(values[name] for name in weights), SCORE_DIGITS)
            if round(abs(total - 1.0), SCORE_DIGITS) > WEIGHT_TOLERANCE:
                message = f"must sum to 1.0 within {WEIGHT_TOLERANCE}"
                problems.append(Problem(" + ".join(weights), message, repr(total), "range"))
        if problems:
            raise InvalidInput(problems)


def _problem(name: str, value: object) -> Problem | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem(name, "must be a number", repr(value), "type")
    if name == "min_requests_for_performance" and not isinstance(value, int):
        return Problem(name, "must be a whole number", repr(value), "type")
    if name.endswith("_weight"):
        wanted, good = "finite and 0 or more", 0 <= value <= sys.float_info.max
    elif name == "min_acceptable_success_rate":
        wanted, good = "above 0 and at most 1", 0 < value <= 1
    else:
        wanted, good = "finite and above 0", 0 < value <= sys.float_info.max
    return None if good else Problem(name, f"must be {wanted}", repr(value), "range")


class ModelMetrics(Protocol):
    """What a model's calls did. The latency is the mean over successful calls, None without one."""

    @property
    def total_requests(self) -> int:
        """Calls, failed ones too."""
        ...

    @property
    def success_rate(self) -> float | None:
        """0..1, or None without a request."""
        ...

    @property
    def avg_latency_ms(self) -> float | None:
        """Over successful calls, or None without one."""
        ...


class Tracker(Protocol):
    """Who knows what the models' calls did."""

    def model_metrics(self, model_id: str) -> ModelMetrics:
        """The figures of one model; a model without calls has 0 requests."""
        ...


def latency_score(mean_latency_ms: float | None, max_acceptable_ms: float) -> float:
    """100 at no latency, 50 at the acceptable one, 0 from twice that on, and 0 without any success to measure."""
    if mean_latency_ms is None:
        return 0.0
    return min(max(100.0 - mean_latency_ms / (2.0 * max_acceptable_ms) * 100.0, 0.0), 100.0)


def performance_penalties(
    success_rate: float, mean_latency_ms: float | None, config: AdaptiveConfig
) -> tuple[Penalty, ...]:
    """The penalties due, in the order in which they apply. At the thresholds themselves nothing is due."""
    slow = mean_latency_ms is not None and mean_latency_ms > config.max_acceptable_latency_ms
    if success_rate < config.min_acceptable_success_rate:
        return (LOW_SUCCESS_RATE, HIGH_LATENCY) if slow else (LOW_SUCCESS_RATE,)
    return (HIGH_LATENCY,) if slow else ()


def adaptive_score(
    capability_score: float,
    requests: int,
    success_rate: float | None,
    mean_latency_ms: float | None,
    config: AdaptiveConfig,
) -> float:
    """The final figure of `adapt` alone, 0..100; about 2 us, for the request path."""
    if success_rate is None or requests < config.min_requests_for_performance:
        return capability_score
    score = (
        capability_score * config.capability_weight
        + success_rate * 100.0 * config.success_rate_weight
        + latency_score(mean_latency_ms, config.max_acceptable_latency_ms) * config.latency_weight
    )
    for penalty in performance_penalties(success_rate, mean_latency_ms, config):
        score *= penalty.factor
    # weights may sum to as much as 1.01; a score is 0..100 all the same
    return min(round(score, SCORE_DIGITS), 100.0)


def adapt(
    capability_score: float,
    requests: int,
    success_rate: float | None,
    mean_latency_ms: float | None,
    config: AdaptiveConfig,
) -> AdaptiveScore:
    """Correct a capability score (0..100) by what `requests` calls did.

    `success_rate` is 0..1 (None without a request); `mean_latency_ms` is over successful calls (None without one).
    """
    if success_rate is None or requests < config.min_requests_for_performance:
        return AdaptiveScore(
            capability_score=capability_score,
            performance_score=capability_score,
            performance_adjustment=0.0,
            has_performance_data=False,
            success_rate=success_rate,
            avg_latency_ms=mean_latency_ms,
        )
    score = adaptive_score(capability_score, requests, success_rate, mean_latency_ms, config)
    return AdaptiveScore(
        capability_score=capability_score,
        performance_score=score,
        performance_adjustment=round(score - capability_score, SCORE_DIGITS),
        has_performance_data=True,
        success_rate=success_rate,
        avg_latency_ms=mean_latency_ms,
        penalties=performance_penalties(success_rate, mean_latency_ms, config),
    )


def adapt_match(match: CapabilityMatch, metrics: ModelMetrics, config: AdaptiveConfig) -> AdaptiveScore:
    """Correct a match by the model's figures. No success lifts an excluded model above 0."""
    requests = 0 if match.excluded else metrics.total_requests
    return adapt(match.match_score, requests, metrics.success_rate, metrics.avg_latency_ms, config)


class AdaptiveScorer:
    """Scores models for agents by capability and by what `tracker` saw the models do."""

    def __init__(self, tracker: Tracker, config: AdaptiveConfig | None = None) -> None:
        self._tracker = tracker
        self._config = config or AdaptiveConfig()
        self._capability = CapabilityScorer()

    def score_with_feedback(self, agent: Agent, profile: ModelProfile) -> AdaptiveScore:
        """The corrected score of one pair. Asks the tracker once."""
        match = self._capability.score_match(agent, profile)
        return adapt_match(match, self._tracker.model_metrics(profile.model_id), self._config)
