from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.buckets import DAY_S
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.errors import InvalidInput
from tiercel.domain.events import Feedback, Outcome
from tiercel.domain.performance import LatencyMetrics, SuccessMetrics, TimeRange
from tiercel.domain.request import stage_segment
from tiercel.services.learning.learner import Learner
from tiercel.services.watching.performance import Performance
from tiercel.testing import ManualClock

HOUR_S = 3600.0
NO_LATENCY = {"min": None, "max": None, "avg": None, "p50": None, "p95": None, "p99": None, "count": 0}
SEGMENT = stage_segment("review", "analysis")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def performance(clock: ManualClock) -> Iterator[Performance]:
    learner = Learner(MemoryStore(), clock=clock)
    yield Performance(learner)
    learner.close()


def record(performance: Performance, model_id: str = "m", **call: Any) -> str:  # noqa: ANN401 - any argument of it
    defaults = {"agent_id": "a", "match_score": 80.0, "latency_ms": 100.0, "success": True}
    return performance.begin_decision(model_id=model_id, **{**defaults, **call}).wait()


def test_nothing_is_invented_where_nothing_was_measured(performance: Performance) -> None:
    """Known fault 14."""
    assert performance.metrics().to_dict() == {
        "latency": NO_LATENCY,
        "success_rate": {
            "total_requests": 0,
            "successful_requests": 0,
            "failed_requests": 0,
            "success_rate": None,
        },
        "top_models": [],
    }
    metrics = performance.model_metrics("never called")
    assert (metrics.total_requests, metrics.success_rate, metrics.avg_latency_ms) == (0, None, None)
    assert (metrics.avg_match_score, metrics.cost_usd, metrics.merit) == (None, None, None)
    assert performance.recent_decisions() == []


def test_the_published_metrics(performance: Performance) -> None:
    for latency_ms in (100.0, 200.0, 300.0):
        record(performance, latency_ms=latency_ms)
    record(performance, success=False, latency_ms=9_999.0)
    report = performance.metrics().to_dict()
    assert report["success_rate"] == {
        "total_requests": 4,
        "successful_requests": 3,
        "failed_requests": 1,
        "success_rate": 0.75,
    }
    latency = report["latency"]
    assert list(latency) == list(NO_LATENCY)
    assert (latency["min"], latency["max"], latency["avg"], latency["count"]) == (100.0, 300.0, 200.0, 3)
    assert report["top_models"] == [
        {
            "model_id": "m",
            "total_requests": 4,
            "success_rate": 0.75,
            "avg_latency_ms": 200.0,
            "avg_match_score": 80.0,
        }
    ]


def test_quantiles_are_within_one_per_cent(performance: Performance) -> None:
    for i in range(1, 201):
        record(performance, latency_ms=float(i * i))
    latency = performance.latency_metrics()
    for q, found in ((0.50, latency.p50), (0.95, latency.p95), (0.99, latency.p99)):
        exact = (1 + int(q * 199)) ** 2
        assert found == pytest.approx(exact, rel=0.01)


def test_per_model_per_agent_and_both(performance: Performance) -> None:
    record(performance, "m1", agent_id="a1", latency_ms=100.0)
    record(performance, "m1", agent_id="a2", latency_ms=300.0)
    record(performance, "m2", agent_id="a1", latency_ms=500.0, success=False)
    assert performance.success_metrics().total_requests == 3
    assert performance.success_metrics(model_id="m1").total_requests == 2
    assert performance.success_metrics(agent_id="a1") == SuccessMetrics(
        total_requests=2, successful_requests=1, failed_requests=1, success_rate=0.5
    )
    assert performance.success_metrics("m1", "a2").total_requests == 1
    assert performance.latency_metrics("m1").avg == 200.0
    assert performance.latency_metrics("m1", "a2").avg == 300.0
    assert performance.latency_metrics(agent_id="a1").max == 100.0
    assert performance.latency_metrics("m2") == LatencyMetrics()
    assert performance.agent_metrics("a1").success_rate == 0.5
    assert performance.overall_metrics().avg_latency_ms == 200.0


def test_tokens_and_cost(performance: Performance) -> None:
    record(performance, prompt_tokens=150, completion_tokens=80, cost_usd=0.002)
    record(performance, prompt_tokens=50, completion_tokens=20, cost_usd=0.001)
    record(performance)
    metrics = performance.model_metrics("m")
    assert (metrics.prompt_tokens, metrics.completion_tokens, metrics.total_tokens) == (200, 100, 300)
    assert metrics.cost_usd == 0.003
    assert metrics.to_dict()["model_id"] == "m"
    assert metrics.to_dict()["successful_requests"] == 3
    assert metrics.to_dict()["latency"]["count"] == 3


def test_a_cost_nobody_knows_is_not_zero(performance: Performance) -> None:
    record(performance)
    assert performance.model_metrics("m").cost_usd is None


def test_success_comes_from_what_the_call_did(performance: Performance) -> None:
    """Known fault 9."""
    for success in (True, False, False, False):
        record(performance, success=success)
    assert performance.model_metrics("m").success_rate == 0.25


def test_failing_fast_is_not_being_fast(performance: Performance) -> None:
    """Known fault 6."""
    record(performance, latency_ms=400.0)
    for _ in range(50):
        record(performance, latency_ms=1.0, success=False)
    assert performance.model_metrics("m").avg_latency_ms == 400.0
    record(performance, "fails", latency_ms=1.0, success=False)
    assert performance.model_metrics("fails").avg_latency_ms is None


def test_models_rank_by_success_times_match(performance: Performance) -> None:
    for success in (True, True, True, False):
        record(performance, "clever", match_score=100.0, success=success)  # 75
    record(performance, "steady", match_score=80.0)  # 80
    record(performance, "failing", match_score=100.0, success=False)  # 0
    record(performance, "unmatched", match_score=None)
    for _ in range(2):
        record(performance, "busy", match_score=80.0)  # 80, more calls
    ranked = [model.model_id for model in performance.top_models()]
    assert ranked == ["busy", "steady", "clever", "failing", "unmatched"]
    assert [model.merit for model in performance.top_models(3)] == [80.0, 80.0, 75.0]
    assert performance.top_models(0) == performance.top_models(-1) == []


def test_a_model_that_was_rated_but_not_called_does_not_rank(performance: Performance, clock: ManualClock) -> None:
    rating = Feedback(id="f", recorded_at=clock.now(), segment=SEGMENT, tier="cheap", quality=1.0, model="rated")
    performance.learner.record(rating)
    assert performance.top_models() == []


@pytest.mark.parametrize("time_range", TimeRange)
def test_a_window_forgets_and_all_time_does_not(
    performance: Performance, clock: ManualClock, time_range: TimeRange
) -> None:
    record(performance, latency_ms=900.0, success=True)
    clock.advance(time_range.window_s / 2)
    record(performance, success=False)
    assert performance.success_metrics(time_range=time_range).total_requests == 2
    # a window counts whole buckets, so it may reach back by the width of the oldest
    widths_s = {TimeRange.LAST_HOUR: 300.0, TimeRange.LAST_30_DAYS: DAY_S}
    clock.advance(time_range.window_s / 2 + widths_s.get(time_range, HOUR_S))
    assert performance.success_metrics(time_range=time_range).success_rate == 0.0
    assert performance.latency_metrics(time_range=time_range).count == 0
    assert performance.metrics(time_range=time_range).top_models[0].success_rate == 0.0
    assert performance.success_metrics().total_requests == 2
    clock.advance(time_range.window_s * 2)
    performance.learner.tidy()
    assert performance.metrics(time_range=time_range).top_models == ()
    assert performance.success_metrics().total_requests == 2


def test_an_unknown_time_range_names_the_known_ones(performance: Performance) -> None:
    with pytest.raises(InvalidInput, match="last_hour, last_24_hours, last_7_days, last_30_days") as raised:
        performance.metrics(time_range="yesterday")
    assert [(p.path, p.kind) for p in raised.value.problems] == [("time_range", "unknown")]


def test_recent_decisions_newest_first(performance: Performance, clock: ManualClock) -> None:
    ids = []
    for i in range(5):
        ids.append(record(performance, f"m{i}", success=i % 2 == 0, latency_ms=100.0 + i, cost_usd=0.5))
        clock.advance(1.0)
    newest = performance.recent_decisions(2)
    assert [summary.decision_id for summary in newest] == [ids[4], ids[3]]
    assert newest[1].to_dict() == {
        "decision_id": ids[3],
        "timestamp": "2026-01-01T00:00:03+00:00",
        "agent_id": "a",
        "model_id": "m3",
        "match_score": 80.0,
        "latency_ms": 103.0,
        "success": False,
        "prompt_tokens": None,
        "completion_tokens": None,
        "cost_usd": 0.5,
    }


def test_a_decision_without_an_outcome_and_one_with_a_fallback(performance: Performance, clock: ManualClock) -> None:
    learner = performance.learner
    proposal = Proposal((Candidate("m1", "cheap", 1.0),), "m1", "for the test")
    for decision_id in ("waiting", "answered"):
        learner.record(
            Decision(
                id=decision_id,
                decided_at=clock.now(),
                segment=SEGMENT,
                policy="p",
                policy_version="1",
                model="m1",
                tier="cheap",
                propensity=1.0,
                proposal=proposal,
            )
        )
        clock.advance(1.0)
    for model, success in (("m1", False), ("m2", True)):
        learner.record(
            Outcome(
                decision_id="answered",
                recorded_at=clock.now(),
                segment=SEGMENT,
                model=model,
                tier="cheap",
                success=success,
                latency_ms=10.0,
            )
        )
    answered, waiting = performance.recent_decisions()
    assert (answered.model_id, answered.success) == ("m2", True)
    assert (waiting.model_id, waiting.success, waiting.latency_ms) == ("m1", None, None)


def test_a_recorded_decision_is_in_the_log_and_takes_feedback(performance: Performance) -> None:
    decision_id = record(performance)
    logged = performance.learner.store.decision(decision_id)
    assert logged is not None
    assert (logged.decision.model, logged.decision.agent_id, logged.decision.propensity) == ("m", "a", 1.0)
    assert [outcome.success for outcome in logged.outcomes] == [True]


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": 7}, "agent_id"),
        ({"model_id": "x" * 257}, "model_id"),
        ({"model_id": "a\nb"}, "model_id"),
        ({"match_score": 100.1}, "match_score"),
        ({"match_score": float("nan")}, "match_score"),
        ({"match_score": True}, "match_score"),
        ({"latency_ms": -1.0}, "latency_ms"),
        ({"latency_ms": float("inf")}, "latency_ms"),
        ({"success": 1}, "success"),
        ({"success": None}, "success"),
        ({"prompt_tokens": -1}, "prompt_tokens"),
        ({"completion_tokens": 1.5}, "completion_tokens"),
        ({"cost_usd": -0.1}, "cost_usd"),
    ],
)
def test_what_is_refused(performance: Performance, call: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        record(performance, **call)
    assert [problem.path for problem in raised.value.problems] == [path]
    assert performance.success_metrics() == SuccessMetrics()


def test_every_problem_of_a_call_at_once(performance: Performance) -> None:
    with pytest.raises(InvalidInput) as raised:
        record(performance, "", match_score=-1.0, latency_ms=-1.0, success="yes")
    assert {problem.path for problem in raised.value.problems} == {"model_id", "match_score", "latency_ms", "success"}


def test_what_is_learned_is_bounded_whatever_the_history(performance: Performance) -> None:
    """The figures of 10 calls and of 2,000 alike take the same room."""
    for _ in range(2_000):
        performance.learner.leave()
        record(performance)
    held = performance.learner.knowledge.export()
    assert len(held.sums) == 4  # everything, the model, the agent, the model for the agent; one time bucket
    assert all(len(outcomes) == 100 for outcomes in held.outcomes.values())


def test_records_are_plain_data(performance: Performance) -> None:
    record(performance)
    assert asdict(performance.latency_metrics()) == performance.latency_metrics().to_dict()
