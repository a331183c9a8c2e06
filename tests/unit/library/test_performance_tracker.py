"""The tracker with the scorer, the assigner and the alerts that read it: loop A, end to end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.adaptive import AdaptiveConfig, AdaptiveScorer
from tiercel.core.assignment import AdaptiveAutoAssigner
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.errors import InvalidInput
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS
from tiercel.library.alerts import AlertManager
from tiercel.library.performance import AsyncPerformanceTracker, PerformanceTracker
from tiercel.testing import ManualClock

LLAMA, MISTRAL, TINY = (model.model_id for model in SAMPLE_MODELS)


@pytest.fixture
def tracker() -> Iterator[PerformanceTracker]:
    with PerformanceTracker(store="memory://", clock=ManualClock()) as tracker:
        yield tracker


def play_samples(tracker: PerformanceTracker) -> None:
    """llama 20 x (100 + 5i ms, all ok), mistral 20 x (400 + 10i ms, the first 12 ok)."""
    for i in range(20):
        tracker.record_decision(
            agent_id="agent_gpu_1", model_id=LLAMA, match_score=92.25, latency_ms=100.0 + 5 * i, success=True
        )
        tracker.record_decision(
            agent_id="agent_gpu_1", model_id=MISTRAL, match_score=77.25, latency_ms=400.0 + 10 * i, success=i < 12
        )


def test_observed_samples_score_as_published(tracker: PerformanceTracker) -> None:
    play_samples(tracker)
    scorer = AdaptiveScorer(tracker, AdaptiveConfig())
    scores = {
        agent.agent_id: [scorer.score_with_feedback(agent, model).performance_score for model in SAMPLE_MODELS]
        for agent in SAMPLE_AGENTS
    }
    assert scores == {
        "agent_gpu_1": [93.1375, 34.7625, 43.5],
        "agent_gpu_2": [93.5875, 37.3875, 50.5],
        "agent_cpu_1": [83.6875, 37.5375, 78.0],
    }


def test_the_figures_behind_those_scores(tracker: PerformanceTracker) -> None:
    play_samples(tracker)
    llama, mistral = tracker.model_metrics(LLAMA), tracker.model_metrics(MISTRAL)
    assert (llama.total_requests, llama.success_rate, llama.avg_latency_ms) == (20, 1.0, 147.5)
    assert (mistral.total_requests, mistral.success_rate, mistral.avg_latency_ms) == (20, 0.6, 455.0)
    assert [model.model_id for model in tracker.top_models(5)] == [LLAMA, MISTRAL]
    assert [model.merit for model in tracker.top_models(5)] == [92.25, 0.6 * 77.25]
    assert tracker.success_metrics().success_rate == 0.8
    assert tracker.latency_metrics().max == 510.0


def test_assignments_follow_what_the_calls_did(tracker: PerformanceTracker) -> None:
    """Known fault 9: where success is a constant, failing changes nothing."""
    assigner = AdaptiveAutoAssigner(agents=SAMPLE_AGENTS, models=SAMPLE_MODELS, tracker=tracker)
    assert [d.model_id for d in assigner.assign()] == [LLAMA, LLAMA, MISTRAL]
    play_samples(tracker)
    assert [d.model_id for d in assigner.assign()] == [LLAMA, LLAMA, LLAMA]
    for _ in range(40):
        tracker.record_decision(
            agent_id="agent_gpu_1", model_id=LLAMA, match_score=92.25, latency_ms=100.0, success=False
        )
    assert [d.model_id for d in assigner.assign()] == [TINY, TINY, TINY]


def test_a_model_that_fails_fast_gets_no_credit_for_it(tracker: PerformanceTracker) -> None:
    """Known fault 6: 1 ms errors scored 99.9 of 100 for latency."""
    agent, model = SAMPLE_AGENTS[0], SAMPLE_MODELS[0]
    for _ in range(10):
        tracker.record_decision(
            agent_id=agent.agent_id, model_id=model.model_id, match_score=92.25, latency_ms=1.0, success=False
        )
    score = AdaptiveScorer(tracker).score_with_feedback(agent, model)
    assert (score.success_rate, score.avg_latency_ms) == (0.0, None)
    assert score.performance_score == pytest.approx(92.25 * 0.60 * 0.5)


def test_alerts_over_the_tracker(tracker: PerformanceTracker) -> None:
    play_samples(tracker)
    with AlertManager(tracker, AlertThresholds()) as manager:
        messages = {alert.message for alert in manager.check()}
        assert f"Model {MISTRAL} has low success rate: 60.0%" in messages
        assert "CRITICAL: Success rate 80.0% below critical threshold 80.0%" in messages
        assert manager.check() == []
        assert {alert.message for alert in manager.active} == messages
        assert len(manager.history) == len(messages)


def test_alerts_have_a_clock_of_their_own(tracker: PerformanceTracker) -> None:
    """The tracker's says how old calls are, the manager's when alerts fire."""
    clock = ManualClock()
    manager = AlertManager(tracker, clock=clock)
    for _ in range(10):
        tracker.record_decision(agent_id="a", model_id="m", match_score=90.0, latency_ms=600.0, success=True)
    assert len(manager.check()) == 1
    clock.advance(299.0)
    assert manager.check() == []
    clock.advance(1.0)
    assert [alert.timestamp for alert in manager.check()] == [clock.now()]


def test_a_store_that_is_open_stays_open() -> None:
    store = MemoryStore()
    for _ in range(2):
        with PerformanceTracker(store) as tracker:
            tracker.record_decision(agent_id="a", model_id="m", match_score=90.0, latency_ms=60.0, success=True)
    with PerformanceTracker(store) as tracker:
        assert tracker.model_metrics("m").total_requests == 2
        tracker.close()


def test_another_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="memory://"):
        PerformanceTracker("mysql://somewhere")


async def test_the_same_for_tasks() -> None:
    async with AsyncPerformanceTracker() as tracker:
        decision_id = await tracker.record_decision(
            agent_id="a", model_id="m", match_score=90.0, latency_ms=120.0, success=True
        )
        assert tracker.recent_decisions(1)[0].decision_id == decision_id
        assert tracker.success_metrics().success_rate == 1.0
