"""What rules of one's own measure, of whom, and in what words. Calls in the "stage", rated or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from tiercel.core.alerts.rules import Breach
from tiercel.core.alerts.watch import Watch
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.alert_rule import AlertRule, Metric
from tiercel.domain.alerts import AlertKey, AlertThresholds, AlertType, Severity
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import Segment, agent_segment, stage_segment
from tiercel.testing import EPOCH

REVIEW, TRIAGE = stage_segment("review", "analysis"), stage_segment("support", "triage")
NOW_S = 1_800.0
TIERS = {"small": "cheap", "large": "premium", "spare": "premium"}
_numbers = count()


def call(
    at_s: float = NOW_S, model: str = "small", segment: Segment = REVIEW, *, success: bool = True, **fields: object
) -> Outcome:
    plain = Outcome(
        decision_id=f"d{next(_numbers)}",
        recorded_at=EPOCH + timedelta(seconds=at_s),
        segment=segment,
        model=model,
        tier="cheap",
        success=success,
        latency_ms=100.0,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def rating(quality: float, at_s: float = NOW_S, model: str = "small", segment: Segment = REVIEW) -> Feedback:
    number = next(_numbers)
    at = EPOCH + timedelta(seconds=at_s)
    return Feedback(
        id=f"f{number}",
        recorded_at=at,
        segment=segment,
        tier="cheap",
        quality=quality,
        model=model,
        decision_id=f"d{number}",
    )


def found(events: list[Event], rule: AlertRule, now_s: float = NOW_S) -> dict[AlertKey, Breach]:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    watch = Watch(AlertThresholds(minimum_sample=10**9, rapid_failures=100), [rule], TIERS)
    seen = watch.look(knowledge, micros(EPOCH + timedelta(seconds=now_s)))
    return {key: breach for key, breach in seen.items() if key.alert_type == AlertType.THRESHOLD_BREACH}


def ten(**fields: object) -> list[Event]:
    return [call(**fields) for _ in range(10)]  # type: ignore[arg-type]


HALF: dict[str, object] = {"cost_usd": 0.5}
AT = "warning threshold"


def silent_since(at_s: float) -> list[Event]:
    return [*ten(), rating(1.0, at_s=at_s)]


def rated(quality: float, number: int = 10) -> list[Event]:
    return [rating(quality) for _ in range(number)]


@pytest.mark.parametrize(
    ("metric", "severity", "threshold", "events", "said"),
    [
        ("latency_p50_ms", "warning", 100, ten(), "P50 latency 100.0ms exceeds warning threshold 100.0ms"),
        ("latency_p95_ms", "error", 90, ten(), "P95 latency 100.0ms exceeds error threshold 90.0ms"),
        ("latency_p99_ms", "critical", 90, ten(), "P99 latency 100.0ms exceeds critical threshold 90.0ms"),
        ("latency_p99_ms", "warning", 101, ten(), ""),
        ("latency_p99_ms", "warning", 90, ten()[:9], ""),
        ("success_rate", "warning", 0.5, ten(success=False), "Success rate 0.0% below warning threshold 50.0%"),
        ("success_rate", "warning", 0.4, [*ten(), *ten(success=False)], ""),
        ("success_rate", "warning", 0.5, ten(), ""),
        ("quality", "error", 0.6, rated(0.5), "Quality 0.500 below error threshold 0.600"),
        ("quality", "error", 0.5, rated(0.5), "Quality 0.500 below error threshold 0.500"),
        ("quality", "error", 0.6, rated(0.5, 9), ""),
        ("quality", "error", 0.4, rated(0.5), ""),
        ("cost_usd_per_request", "warning", 0.5, ten(**HALF), "Cost per request $0.5 exceeds warning threshold $0.5"),
        ("cost_usd_per_request", "warning", 0.1, ten(), ""),
        ("spend_usd", "error", 4, ten(**HALF), "Spend $5.00 exceeds error threshold $4.00"),
        ("spend_usd", "warning", 0.5, [call(cost_usd=0.5)], "Spend $0.50 exceeds warning threshold $0.50"),
        ("spend_usd", "warning", 0, ten(), ""),
        ("rated_share", "warning", 0.1, [*ten(), rating(1.0)], f"Rated share of the calls 10.0% below {AT} 10.0%"),
        ("rated_share", "warning", 0.1, [*ten(), *rated(1.0, 2)], ""),
        # the last rating is in the bucket that ended at 300 s
        ("feedback_silence_s", "warning", 1_500, silent_since(10), f"Time without a rating 1500s exceeds {AT} 1500s"),
        ("feedback_silence_s", "warning", 1_501, silent_since(10), ""),
        ("feedback_silence_s", "warning", 1_500, [rating(1.0, at_s=10)], ""),
        (  # nor does a rating that a clock stamped while it was ahead end it
            "feedback_silence_s",
            "warning",
            1_500,
            [*silent_since(10), rating(1.0, at_s=36_000)],
            f"Time without a rating 1500s exceeds {AT} 1500s",
        ),
        (
            "feedback_silence_s",
            "warning",
            900,
            [*ten(at_s=500), *ten()],
            f"Time without a rating 1200s exceeds {AT} 900s",
        ),
    ],
)
def test_a_rule_over_everything(metric: str, severity: str, threshold: float, events: list[Event], said: str) -> None:
    rule = AlertRule(name="mine", metric=metric, **{severity: threshold})  # type: ignore[arg-type]
    messages = {key: breach.message for key, breach in found(events, rule).items()}
    key = AlertKey(AlertType.THRESHOLD_BREACH, None, (), "mine")
    assert messages == ({key: f"{severity.upper()}: {said} (mine)"} if said else {})


def test_the_worst_threshold_is_the_one() -> None:
    rule = AlertRule(name="mine", metric="spend_usd", warning=1, error=4, critical=6)
    assert [breach.severity for breach in found(ten(**HALF), rule).values()] == [Severity.ERROR]


def test_each_model_that_a_glob_matches_has_an_incident_of_its_own() -> None:
    slow: list[Event] = [
        call(model=model, latency_ms=900) for model in ("small", "small-2", "large") for _ in range(10)
    ]
    rule = AlertRule(name="slow", metric="latency_p95_ms", model="small*", warning=500)
    keys = {AlertKey(AlertType.THRESHOLD_BREACH, model, (), "slow") for model in ("small", "small-2")}
    seen = found(slow, rule)
    assert set(seen) == keys
    assert min(breach.message for breach in seen.values()).startswith("WARNING: P95 latency of small ")


def test_stages_and_agents_are_looked_at_one_by_one() -> None:
    of_agent = [call(model="large", agent_id="gpu", segment=TRIAGE, success=False) for _ in range(10)]
    bad = [*ten(success=False), *of_agent]
    stages = AlertRule(name="bad", metric="success_rate", workflow="*", critical=0.5)
    assert {key.segment for key in found(bad, stages)} == {REVIEW, TRIAGE}
    one = replace(stages, workflow="rev*", stage="anal*")
    ((key, breach),) = found(bad, one).items()
    assert (key.segment, key.model_id) == (REVIEW, None)
    assert breach.message == "CRITICAL: Success rate of review/analysis 0.0% below critical threshold 50.0% (bad)"
    agents = replace(stages, workflow="", agent="*")
    assert {key.segment for key in found(bad, agents)} == {agent_segment("gpu")}
    models = replace(stages, model="*")
    assert {(key.model_id, key.segment) for key in found(bad, models)} == {("small", REVIEW), ("large", TRIAGE)}


def test_a_stage_s_ratings_count_once_whatever_model_they_are_of() -> None:
    mixed: list[Event] = [rating(0.2, model=model) for model in ("small", "large") for _ in range(5)]
    rule = AlertRule(name="poor", metric="quality", stage="*", warning=0.5)
    assert len(found(mixed, rule)) == 1
    assert found(mixed, replace(rule, minimum_sample=11)) == {}
    assert found(mixed, replace(rule, model="*")) == {}


def test_a_model_without_trials_is_starved_also_if_it_never_had_one() -> None:
    events = [*ten(at_s=10), call(10, "large"), *ten(at_s=1_799)]
    rule = AlertRule(name="starved", metric="probe_starvation_s", warning=1_500)
    assert {key.model_id: breach.metric_value for key, breach in found(events, rule).items()} == {
        "large": 1_500.0,
        "spare": 1_500.0,
    }
    tier = replace(rule, tier="premium")
    ((key, breach),) = found(events, tier).items()
    assert (key.model_id, key.segment) == (None, ())
    assert breach.message.startswith("WARNING: Time without a trial of tier premium 1500s")
    staged = replace(tier, workflow="review")
    ((key, breach),) = found(events, staged).items()
    assert breach.message.startswith("WARNING: Time without a trial of tier premium in review/analysis 1500s")
    assert {key.model_id for key in found(events, replace(rule, stage="*"))} == {"large"}
    # nobody calls anything: nothing is starved
    assert found(ten(at_s=10), rule) == {}


def test_the_window_is_the_rule_s() -> None:
    events = [*ten(at_s=10, success=False), *ten()]
    rule = AlertRule(name="bad", metric="success_rate", warning=0.6, window_s=900)
    assert found(events, rule) == {}
    assert len(found(events, replace(rule, window_s=3_600))) == 1


def test_every_metric_is_measured() -> None:
    events = [*ten(at_s=10), *ten(success=True, cost_usd=1.0), *(rating(0.0, at_s=1_700) for _ in range(10))]
    for metric in Metric:
        falling = metric in (Metric.SUCCESS_RATE, Metric.QUALITY, Metric.RATED_SHARE)
        rule = AlertRule(name="any", metric=metric, warning=1.0 if falling else 0.0)
        assert {breach.severity for breach in found(events, rule).values()} == {Severity.WARNING}, metric
