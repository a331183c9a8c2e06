"""From calls and ratings in the log to an alert, a standing change that policies read, and the end of both."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.beliefs.costs import CostBeliefs
from tiercel.core.beliefs.forgetting import Metric, steady_since_us
from tiercel.core.beliefs.shift import DriftSettings, State
from tiercel.core.beliefs.shift_detector import MAX_PLACES
from tiercel.core.statistics.fold import micros
from tiercel.domain.alerts import Alert, AlertThresholds, AlertType, Severity
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import stage_segment
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.alerting.drift import DriftWatching
from tiercel.services.learning.learner import Learner
from tiercel.testing import ManualClock

STAGE = stage_segment("review", "draft")


class Gateway:
    """A learner with its alerts, a clock, and calls of two models."""

    def __init__(self, store: MemoryStore | None = None, settings: DriftSettings | None = None) -> None:
        self.store = store or MemoryStore()
        self.clock = ManualClock()
        self.learner = Learner(self.store, clock=self.clock)
        self.drift = DriftWatching(self.learner, settings)
        self.alerting = Alerting(self.learner, AlertThresholds(cooldown_s=36_000.0))
        self.alerting.watch(self.drift.breaches)
        self.chance = random.Random(1)
        self.made = 0

    def calls(self, count: int, *, latency_ms: float = 400.0, cost_usd: float = 0.001) -> None:
        for _ in range(count):
            self.record(self.call(model, latency_ms, cost_usd) for model in ("small", "large"))

    def call(self, model: str, latency_ms: float, cost_usd: float) -> Outcome:
        """One of `small` is as told; `large` is as ever."""
        latency_ms, cost_usd = (latency_ms, cost_usd) if model == "small" else (400.0, 0.001)
        self.made += 1
        self.clock.advance(20)
        return Outcome(
            decision_id=f"d{id(self)}_{self.made}",
            recorded_at=self.clock.now(),
            segment=STAGE,
            model=model,
            tier="cheap",
            success=True,
            latency_ms=latency_ms * self.chance.lognormvariate(0, 0.2),
            cost_usd=cost_usd * self.chance.lognormvariate(0, 0.1),
        )

    def ratings(self, count: int, quality: float) -> None:
        for _ in range(count):
            self.made += 1
            self.clock.advance(20)
            given = min(max(self.chance.gauss(quality, 0.1), 0.0), 1.0)
            self.record(
                [
                    Feedback(
                        id=f"f{self.made}",
                        recorded_at=self.clock.now(),
                        segment=STAGE,
                        tier="cheap",
                        model="small",
                        quality=given,
                    )
                ]
            )

    def record(self, events: Iterable[Event]) -> None:
        self.learner.record(*events)

    def check(self) -> list[Alert]:
        """What fires, of drift; in this no other alert matters."""
        fired = [alert for alert in self.alerting.check() if alert.alert_type is AlertType.DRIFT]
        self.learner.flush()
        return fired


@pytest.fixture
def gateway() -> Iterable[Gateway]:
    made = Gateway()
    yield made
    made.learner.close()


def test_a_slower_model_is_an_alert_with_its_evidence_until_it_is_as_fast_again(gateway: Gateway) -> None:
    gateway.calls(100)
    assert gateway.check() == []
    gateway.calls(30, latency_ms=800.0)
    (alert,) = gateway.check()
    assert (alert.model_id, alert.severity, alert.rule) == ("small", Severity.WARNING, "latency")
    assert alert.metric_value == pytest.approx(800.0, rel=0.15)
    assert alert.threshold_value == pytest.approx(400.0, rel=0.05)
    assert "calls since" in alert.message
    assert gateway.check() == []
    assert gateway.drift.found == {Metric.LATENCY: 1}
    gateway.calls(20)
    assert gateway.check() == []
    gateway.clock.advance(60)
    gateway.check()
    assert [a for a in gateway.alerting.active if a.alert_type is AlertType.DRIFT] == []


def test_it_stands_in_the_log_with_since_when(gateway: Gateway) -> None:
    gateway.calls(100)
    changed_us = micros(gateway.clock.now())
    gateway.calls(30, latency_ms=800.0)
    gateway.check()

    def steady(model: str) -> int:
        now_us = micros(gateway.clock.now())
        return steady_since_us(gateway.learner.knowledge, Metric.LATENCY, STAGE, [model], now_us)

    since_us = steady("small")
    assert changed_us - 80e6 <= since_us <= changed_us + 80e6
    assert steady("large") == 0
    gateway.calls(20)
    gateway.check()
    (standing,) = gateway.learner.knowledge.standings("drift-latency")
    assert (standing.previous, standing.current, standing.revision) == (State.DRIFTED, State.BACK, 2)
    assert steady("small") > since_us


def test_quality_is_watched_where_nobody_expects_anything(gateway: Gateway) -> None:
    gateway.ratings(60, 0.8)
    gateway.ratings(30, 0.5)
    (alert,) = gateway.check()
    assert alert.rule == "quality"
    assert alert.metric_value == pytest.approx(0.5, abs=0.08)


def test_what_calls_cost_is_believed_sooner_after_a_drift(gateway: Gateway) -> None:
    def expected() -> float:
        beliefs = CostBeliefs(gateway.learner.knowledge, "", micros(gateway.clock.now()))
        return beliefs.expect((STAGE, -1), [ModelProfile(model_id="small")], gateway.learner.knowledge)[0]

    gateway.calls(200)
    gateway.calls(30, cost_usd=0.003)
    slow = expected()
    assert slow == pytest.approx(0.0013, rel=0.1)
    gateway.check()
    gateway.calls(30, cost_usd=0.003)
    assert expected() == pytest.approx(0.0028, rel=0.1)


def test_a_process_that_starts_takes_over_what_stands() -> None:
    first = Gateway()
    first.calls(100)
    first.calls(30, latency_ms=800.0)
    first.check()
    second = Gateway(first.store)
    second.clock.advance(first.clock.monotonic_s())
    assert second.drift.open == first.drift.open
    assert second.check() == []
    second.calls(20)
    second.check()
    assert second.drift.open == []
    first.learner.catch_up()
    assert first.drift.open == []
    for gateway in (first, second):
        gateway.learner.close()


def test_what_stands_in_a_store_that_was_away_is_taken_over_when_it_is_back() -> None:
    first = Gateway()
    first.calls(100)
    first.calls(30, latency_ms=800.0)
    first.check()
    second = Gateway()
    second.learner.knowledge.replace(first.learner.knowledge.export())
    assert second.drift.open == []
    second.drift.breaches(micros(first.clock.now()))
    assert second.drift.open == first.drift.open
    for gateway in (first, second):
        gateway.learner.close()


def test_processes_that_find_the_same_log_it_once() -> None:
    first = Gateway()
    second = Gateway(first.store)
    first.calls(100)
    first.calls(30, latency_ms=800.0)
    second.learner.catch_up()
    for gateway in (first, second):
        gateway.clock.advance(5)
        gateway.alerting.check()
    for gateway in (first, second):
        gateway.learner.flush()
        gateway.learner.catch_up()
    for gateway in (first, second):
        assert [shift.turns for shift in gateway.drift.open] == [1]
        assert [s.revision for s in gateway.learner.knowledge.standings("drift-latency")] == [1]
        gateway.learner.close()


def test_what_is_switched_off_is_not_watched() -> None:
    gateway = Gateway(settings=DriftSettings(latency=False))
    gateway.calls(100)
    gateway.calls(60, latency_ms=4_000.0)
    assert gateway.check() == []
    gateway.drift.close()
    gateway.drift.close()
    gateway.learner.close()


def test_the_new_level_is_usual_after_an_hour(gateway: Gateway) -> None:
    gateway.calls(100)
    gateway.calls(30, latency_ms=800.0)
    gateway.check()
    gateway.clock.advance(3_600)
    gateway.check()
    assert gateway.drift.open == []
    (standing,) = gateway.learner.knowledge.standings("drift-latency")
    assert standing.current == State.SETTLED


def test_turns_go_on_where_the_detector_has_forgotten_the_place(gateway: Gateway) -> None:
    def told() -> tuple[str, int]:
        (standing,) = gateway.learner.knowledge.standings("drift-latency")
        return standing.current, standing.evidence["turns"]

    gateway.calls(100)
    gateway.calls(30, latency_ms=800.0)
    gateway.check()
    gateway.calls(20)
    gateway.check()
    assert told() == (State.BACK, 2)
    others = [gateway.call("small", 400.0, 0.001) for _ in range(MAX_PLACES)]
    others = [replace(call, segment=stage_segment("w", str(i)), model=f"m{i}") for i, call in enumerate(others)]
    gateway.record(others)
    gateway.calls(100)
    gateway.calls(30, latency_ms=800.0)
    gateway.check()
    assert told() == (State.DRIFTED, 3)
    gateway.calls(20)
    gateway.check()
    assert told() == (State.BACK, 4)


def test_what_another_process_found_later_is_not_taken_back_by_what_is_told_late() -> None:
    first = Gateway()
    second = Gateway(first.store)
    first.calls(100)
    first.calls(30, latency_ms=800.0)
    second.learner.catch_up()  # has found it as well, and does not look for alerts yet
    first.check()
    first.calls(20)
    first.check()
    standing = first.learner.knowledge.standings("drift-latency")
    assert [(s.current, s.evidence["turns"]) for s in standing] == [(State.BACK, 2)]
    # of the calls that were as ever again it hears nothing, as if it had been started between
    second.learner._position = first.learner._position
    second.learner.knowledge.replace(first.learner.knowledge.export())
    second.drift.breaches(micros(first.clock.now()))
    second.learner.flush()
    assert second.learner.knowledge.standings("drift-latency") == standing
    for gateway in (first, second):
        gateway.learner.close()
