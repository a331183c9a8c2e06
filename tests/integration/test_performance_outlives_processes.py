"""Known fault 13: everything lost at process exit. Here observed performance and alerts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tiercel.library.alerts import AlertManager
from tiercel.library.performance import PerformanceTracker
from tiercel.testing import ManualClock

WRITER = """
import os, sys
from tiercel.library.performance import PerformanceTracker
tracker = PerformanceTracker(sys.argv[1])
for i in range(20):
    tracker.record_decision(agent_id="a", model_id="m", match_score=80.0, latency_ms=100.0 + i, success=i % 4 != 0)
os._exit(0)  # without a close, without any clean-up
"""


def test_what_was_recorded_outlives_the_process_that_recorded_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tiercel.db'}"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITER, url], check=True, timeout=60)
    with PerformanceTracker(url) as tracker:
        metrics = tracker.model_metrics("m")
        decisions = tracker.recent_decisions(3)
    assert (metrics.total_requests, metrics.success_rate, metrics.avg_match_score) == (40, 0.75, 80.0)
    assert [(d.latency_ms, d.success, d.model_id) for d in decisions] == [
        (119.0, True, "m"),
        (118.0, True, "m"),
        (117.0, True, "m"),
    ]


def test_figures_are_the_same_after_a_restart(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'tiercel.db'}", ManualClock()
    with PerformanceTracker(url, clock=clock) as tracker:
        for i in range(50):
            clock.advance(60.0)
            tracker.record_decision(
                agent_id=f"a{i % 3}",
                model_id=f"m{i % 2}",
                match_score=50.0 + i,
                latency_ms=10.0 * i,
                success=i % 7 != 0,
                prompt_tokens=i,
                completion_tokens=2 * i,
                cost_usd=0.001 * i,
            )
        before = [tracker.metrics(time_range=name).to_dict() for name in (None, "last_hour", "last_30_days")]
        agents, decisions = tracker.agent_metrics("a1"), tracker.recent_decisions()
    with PerformanceTracker(url, clock=clock) as tracker:
        assert before == [tracker.metrics(time_range=name).to_dict() for name in (None, "last_hour", "last_30_days")]
        assert (agents, decisions) == (tracker.agent_metrics("a1"), tracker.recent_decisions())


def test_alerts_and_their_cooldown_outlive_the_process(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'tiercel.db'}", ManualClock()
    with PerformanceTracker(url, clock=clock) as tracker, AlertManager(tracker) as manager:
        for _ in range(10):
            tracker.record_decision(agent_id="a", model_id="m", match_score=80.0, latency_ms=600.0, success=True)
        (fired,) = manager.check()
        clock.advance(300.0)
        (again,) = manager.check()
    clock.advance(299.0)
    with PerformanceTracker(url, clock=clock) as tracker, AlertManager(tracker) as manager:
        assert manager.active == [again]
        assert manager.history == [again, fired.resolved(again.timestamp)]
        assert manager.check() == []
        clock.advance(1.0)
        assert len(manager.check()) == 1
        clock.advance(3_600.0)
        manager.check()
    with PerformanceTracker(url, clock=clock) as tracker, AlertManager(tracker) as manager:
        assert manager.active == []
        assert [alert.resolved_at is None for alert in manager.history] == [False] * 3
