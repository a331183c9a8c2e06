import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tiercel.core.adaptive import AdaptiveConfig, AdaptiveScorer, adapt, adaptive_score, latency_score
from tiercel.core.statistics.sums import Sums
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.errors import InvalidInput
from tiercel.domain.matching import Penalty
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS

CONFIG = AdaptiveConfig()
LOW, SLOW = Penalty("low_success_rate", 0.5), Penalty("high_latency", 0.8)


@dataclass(frozen=True)
class Metrics:
    total_requests: int = 0
    success_rate: float | None = None
    avg_latency_ms: float | None = None


class Calls:
    """A tracker over calls given as (success, latency in ms), summed as the live statistics are."""

    def __init__(self, **calls: Iterable[tuple[bool, float]]) -> None:
        self._sums: dict[str, Sums] = {}
        for model_id, made in calls.items():
            self._sums[model_id] = sums = Sums()
            for success, latency_ms in made:
                sums.add_call(
                    success=success,
                    latency_ms=latency_ms,
                    prompt_tokens=None,
                    completion_tokens=None,
                    cost_usd=None,
                    match_score=None,
                )

    def model_metrics(self, model_id: str) -> Metrics:
        sums = self._sums.get(model_id, Sums())
        return Metrics(sums.requests, sums.success_rate, sums.mean_latency_ms)


@pytest.mark.parametrize(
    ("latency_ms", "expected"),
    [(0, 100), (120, 88), (250, 75), (450, 55), (500, 50), (1000, 0), (5000, 0), (None, 0)],
)
def test_latency_score(latency_ms: float | None, expected: float) -> None:
    assert latency_score(latency_ms, 500.0) == expected


@pytest.mark.parametrize(
    ("capability", "success_rate", "latency_ms", "score", "adjustment", "penalties"),
    [
        (85.0, 0.99, 120.0, 88.95, 3.95, ()),
        (88.0, 0.60, 450.0, 38.025, -49.975, (LOW,)),
        (88.0, 0.95, 600.0, 66.04, -21.96, (SLOW,)),  # (52.8 + 23.75 + 6) x 0.8
        (88.0, 0.60, 600.0, 29.52, -58.48, (LOW, SLOW)),  # (52.8 + 15 + 6) x 0.4
        (80.0, 0.90, 500.0, 78.0, -2.0, ()),  # both thresholds are strict
        (80.0, 0.8999, 500.0, 38.99875, -41.00125, (LOW,)),
        (80.0, 0.90, 500.0001, 62.3999988, -17.6000012, (SLOW,)),
        (100.0, 1.0, 0.0, 100.0, 0.0, ()),
        (80.0, 0.0, None, 24.0, -56.0, (LOW,)),  # no success: no latency to praise
    ],
)
def test_worked_figures(
    *,
    capability: float,
    success_rate: float,
    latency_ms: float | None,
    score: float,
    adjustment: float,
    penalties: tuple[Penalty, ...],
) -> None:
    result = adapt(capability, 10, success_rate, latency_ms, CONFIG)
    assert result.performance_score == score == adaptive_score(capability, 10, success_rate, latency_ms, CONFIG)
    assert result.performance_adjustment == adjustment
    assert result.penalties == penalties
    assert result.has_performance_data
    assert (result.capability_score, result.success_rate, result.avg_latency_ms) == (
        capability,
        success_rate,
        latency_ms,
    )


def test_too_few_requests_correct_nothing_and_are_still_shown() -> None:
    nine = adapt(85.0, 9, 0.0, 2000.0, CONFIG)
    assert (nine.performance_score, nine.performance_adjustment, nine.has_performance_data) == (85.0, 0.0, False)
    assert (nine.success_rate, nine.avg_latency_ms, nine.penalties) == (0.0, 2000.0, ())
    none = adapt(85.0, 0, None, None, CONFIG)
    assert (none.performance_score, none.has_performance_data, none.success_rate) == (85.0, False, None)
    assert adapt(85.0, 10, 0.0, 2000.0, CONFIG).has_performance_data


def test_config_bears_on_the_score() -> None:
    config = AdaptiveConfig(
        capability_weight=0.5,
        success_rate_weight=0.5,
        latency_weight=0,
        min_acceptable_success_rate=0.5,
        max_acceptable_latency_ms=100,
        min_requests_for_performance=1,
    )
    assert adapt(80.0, 1, 0.5, 100.0, config).performance_score == 65.0
    assert adapt(80.0, 1, 0.4, 101.0, config).performance_score == 24.0


def test_weights_above_one_do_not_lift_a_score_above_100() -> None:
    config = AdaptiveConfig(capability_weight=0.61)
    assert adapt(100.0, 10, 1.0, 0.0, config).performance_score == 100.0


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"capability_weight": 0.61}, []),
        ({"capability_weight": 0.59}, []),
        ({"min_acceptable_success_rate": 1.0}, []),
        ({"capability_weight": 0.611}, ["capability_weight + success_rate_weight + latency_weight"]),
        ({"capability_weight": 0.589}, ["capability_weight + success_rate_weight + latency_weight"]),
        (
            {"capability_weight": 1e308, "latency_weight": 1e308},
            [
                "capability_weight + success_rate_weight + latency_weight",
            ],
        ),
        ({"capability_weight": -0.1, "success_rate_weight": 0.95}, ["capability_weight"]),
        ({"capability_weight": math.nan}, ["capability_weight"]),
        ({"latency_weight": math.inf}, ["latency_weight"]),
        ({"latency_weight": 10**400}, ["latency_weight"]),
        ({"latency_weight": "0.15"}, ["latency_weight"]),
        ({"latency_weight": True}, ["latency_weight"]),
        ({"min_acceptable_success_rate": 0}, ["min_acceptable_success_rate"]),
        ({"min_acceptable_success_rate": 1.01}, ["min_acceptable_success_rate"]),
        ({"min_acceptable_success_rate": 90}, ["min_acceptable_success_rate"]),
        ({"max_acceptable_latency_ms": 0.0}, ["max_acceptable_latency_ms"]),
        ({"max_acceptable_latency_ms": -1}, ["max_acceptable_latency_ms"]),
        ({"max_acceptable_latency_ms": math.inf}, ["max_acceptable_latency_ms"]),
        ({"max_acceptable_latency_ms": None}, ["max_acceptable_latency_ms"]),
        ({"min_requests_for_performance": 0}, ["min_requests_for_performance"]),
        ({"min_requests_for_performance": 9.5}, ["min_requests_for_performance"]),
        (
            {
                "capability_weight": -1,
                "success_rate_weight": math.nan,
                "latency_weight": "x",
                "min_acceptable_success_rate": 2,
                "max_acceptable_latency_ms": 0,
                "min_requests_for_performance": -3,
            },
            [
                "capability_weight",
                "success_rate_weight",
                "latency_weight",
                "min_acceptable_success_rate",
                "max_acceptable_latency_ms",
                "min_requests_for_performance",
            ],
        ),
        (
            {"capability_weight": 0.9, "max_acceptable_latency_ms": 0},
            ["max_acceptable_latency_ms", "capability_weight + success_rate_weight + latency_weight"],
        ),
    ],
)
def test_config_reports_every_problem_at_once(given: dict[str, Any], paths: list[str]) -> None:
    if not paths:
        AdaptiveConfig(**given)
        return
    with pytest.raises(InvalidInput) as caught:
        AdaptiveConfig(**given)
    assert [problem.path for problem in caught.value.problems] == paths
    assert all(problem.found for problem in caught.value.problems)


def test_scorer_asks_the_tracker_for_the_model() -> None:
    tracker = Calls(**{"llama3-70b": [(True, 100.0 + 5 * i) for i in range(20)]})
    scorer = AdaptiveScorer(tracker, AdaptiveConfig())
    llama, mistral = (scorer.score_with_feedback(SAMPLE_AGENTS[0], model) for model in SAMPLE_MODELS[:2])
    assert (llama.capability_score, llama.performance_score, llama.performance_adjustment) == (92.25, 93.1375, 0.8875)
    assert (llama.success_rate, llama.avg_latency_ms) == (1.0, 147.5)
    assert (mistral.performance_score, mistral.has_performance_data) == (77.25, False)
    assert AdaptiveScorer(tracker).score_with_feedback(SAMPLE_AGENTS[0], SAMPLE_MODELS[0]) == llama


def test_success_does_not_readmit_an_excluded_model() -> None:
    agent = Agent(agent_id="a", required=["vision"], require_all=True)
    tracker = Calls(m=[(True, 1.0)] * 20)
    score = AdaptiveScorer(tracker).score_with_feedback(agent, ModelProfile(model_id="m"))
    assert (score.capability_score, score.performance_score, score.performance_adjustment) == (0.0, 0.0, 0.0)


class TestFailingFastIsNotRewarded:
    """Known fault 6: a model that fails in no time earned a high latency score."""

    agent = Agent(agent_id="a")
    model = ModelProfile(model_id="m")

    def score(self, calls: list[tuple[bool, float]]) -> float:
        return AdaptiveScorer(Calls(m=calls)).score_with_feedback(self.agent, self.model).performance_score

    def test_without_a_success_the_time_of_failing_earns_nothing(self) -> None:
        fails_at_once = self.score([(False, 1.0)] * 20)
        assert fails_at_once == self.score([(False, 5000.0)] * 20)
        assert fails_at_once == 30.0  # 100 x 0.60, halved

    def test_fast_failures_among_slow_successes_earn_nothing(self) -> None:
        slow = [(True, 480.0)] * 19
        assert self.score([*slow, (False, 1.0)]) == self.score([*slow, (False, 480.0)])
        assert self.score([*slow, (False, 1.0)]) < self.score([*slow, (True, 480.0)])
