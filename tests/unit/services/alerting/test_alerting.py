"""Alerts from recorded calls to the log and back. Times in seconds; cooldown 300 s, resolved after 60 s."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.alerts import Alert, AlertThresholds, AlertType, Severity
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Feedback
from tiercel.domain.request import stage_segment
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.learning.learner import Learner
from tiercel.services.watching.performance import Performance
from tiercel.testing import ManualClock

WINDOW_S = 900.0
SEGMENT = stage_segment("review", "analysis")


class Site:
    """One process: calls are recorded, alerts are checked."""

    def __init__(
        self, store: MemoryStore, clock: ManualClock, thresholds: AlertThresholds | None = None, *, watched: bool = True
    ) -> None:
        self.clock = clock
        self.learner = Learner(store, clock=clock)
        self.performance = Performance(self.learner)
        if watched:
            self.alerting = Alerting(self.learner, thresholds)

    def calls(self, number: int = 10, model_id: str = "m", **call: Any) -> None:  # noqa: ANN401 - any argument of it
        defaults = {"agent_id": "a", "match_score": 80.0, "latency_ms": 100.0, "success": True}
        for _ in range(number):
            self.performance.begin_decision(model_id=model_id, **{**defaults, **call}).wait()

    def after(self, seconds: float) -> list[str]:
        """What fires then, as "type severity"."""
        self.clock.advance(seconds)
        return [f"{alert.alert_type} {alert.severity}" for alert in self.alerting.check()]

    @property
    def active(self) -> list[str]:
        return [f"{alert.alert_type} {alert.severity}" for alert in self.alerting.active]

    def close(self) -> None:
        self.learner.close()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(store: MemoryStore, clock: ManualClock) -> Iterator[Site]:
    site = Site(store, clock)
    yield site
    site.close()


def test_nothing_happened_and_nothing_is_wrong(site: Site) -> None:
    assert site.alerting.check() == site.alerting.active == site.alerting.history == []


def test_an_alert_says_what_and_how_much(site: Site) -> None:
    site.calls(latency_ms=600.0)
    (alert,) = site.alerting.check()
    assert alert.timestamp == site.clock.now()
    assert (alert.severity, alert.alert_type) == (Severity.WARNING, AlertType.HIGH_LATENCY)
    assert alert.message == "WARNING: P95 latency 600.0ms exceeds warning threshold 500.0ms"
    assert (alert.model_id, alert.metric_value, alert.threshold_value) == (None, 600.0, 500.0)
    assert alert.resolved_at is None
    assert site.alerting.active == site.alerting.history == [alert]


def test_nine_calls_are_too_few_to_judge(site: Site) -> None:
    site.calls(9, latency_ms=9_000.0)
    assert site.alerting.check() == []
    site.calls(1, latency_ms=9_000.0)
    assert site.after(0) == ["high_latency CRITICAL"]


def test_it_fires_again_after_exactly_the_cooldown(site: Site) -> None:
    site.calls(latency_ms=600.0)
    assert site.after(0) == ["high_latency WARNING"]
    assert site.after(299.999) == []
    assert site.after(0.001) == ["high_latency WARNING"]
    again, first = site.alerting.history
    assert site.alerting.active == [again]
    assert first.resolved_at == again.timestamp
    assert first.alert_id != again.alert_id


def test_an_escalation_replaces_at_once(site: Site) -> None:
    site.calls(latency_ms=600.0)
    assert site.after(0) == ["high_latency WARNING"]
    site.calls(20, latency_ms=1_200.0)
    assert site.after(1) == ["high_latency ERROR"]
    assert site.active == ["high_latency ERROR"]
    site.calls(50, latency_ms=2_500.0)
    assert site.after(1) == ["high_latency CRITICAL"]
    assert site.active == ["high_latency CRITICAL"]
    assert [alert.severity for alert in site.alerting.history] == ["CRITICAL", "ERROR", "WARNING"]


def test_it_resolves_by_itself_and_says_so(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.calls(latency_ms=600.0)
    with caplog.at_level(logging.INFO, "tiercel.alerts"):
        site.after(0)
        site.calls(1_000, latency_ms=100.0)
        assert site.after(59.999) == []
        assert site.active == ["high_latency WARNING"]
        assert site.after(0.001) == []
    assert site.active == []
    (alert,) = site.alerting.history
    assert alert.resolved_at == site.clock.now()
    fired, resolved = caplog.records
    assert (fired.levelno, fired.getMessage()) == (logging.WARNING, alert.message)
    assert (resolved.levelno, resolved.getMessage()) == (logging.INFO, f"resolved after 60 s: {alert.message}")


def test_without_calls_it_resolves_when_the_window_has_passed(site: Site) -> None:
    site.calls(latency_ms=600.0)
    site.after(0)
    site.after(WINDOW_S + 300.0)
    assert site.active == []


def test_a_failing_model_is_named_and_everything_is_told_apart(site: Site) -> None:
    site.calls(100, "good")
    site.calls(20, "bad", success=False)
    fired = site.alerting.check()
    assert {(alert.alert_type, alert.model_id, alert.severity) for alert in fired} == {
        (AlertType.MODEL_FAILURE, "bad", Severity.CRITICAL),
        (AlertType.RAPID_FAILURES, "bad", Severity.ERROR),
        (AlertType.LOW_SUCCESS_RATE, None, Severity.ERROR),
    }
    assert fired[0].severity is Severity.CRITICAL


def test_a_rate_below_the_model_s_threshold(site: Site) -> None:
    site.calls(3, "llama3-70b", success=False)
    site.calls(17, "llama3-70b")
    messages = [alert.message for alert in site.alerting.check()]
    assert "Model llama3-70b has low success rate: 85.0%" in messages
    assert "ERROR: Success rate 85.0% below error threshold 90.0%" in messages


def test_a_streak_grows_from_warning_to_critical(site: Site) -> None:
    site.calls(200)
    for failures, fires in ((2, []), (1, ["model_failure WARNING"]), (6, ["rapid_failures ERROR"])):
        site.calls(failures, success=False)
        assert site.after(1) == fires
    site.calls(1, success=False)
    assert site.after(1) == ["model_failure CRITICAL"]


def test_two_failing_models_are_two_alerts(site: Site) -> None:
    for model_id in ("m1", "m2"):
        site.calls(3, model_id, success=False)
    assert {alert.model_id for alert in site.alerting.check()} == {"m1", "m2"}


def test_a_fault_that_moves_to_another_model_is_not_suppressed(site: Site) -> None:
    site.calls(3, "m1", success=False)
    assert site.after(0) == ["model_failure WARNING"]
    site.calls(3, "m2", success=False)
    assert site.after(1) == ["model_failure WARNING"]


def test_no_model_available(site: Site) -> None:
    site.alerting.note_no_models({"m1": "context too short"})
    (alert,) = site.alerting.check()
    assert (alert.alert_type, alert.severity) == (AlertType.NO_MODELS_AVAILABLE, Severity.CRITICAL)
    assert "m1: context too short" in alert.message
    site.clock.advance(30)
    site.alerting.note_no_models()
    assert site.after(0) == []
    assert site.after(59) == []
    assert site.active == ["no_models_available CRITICAL"]
    assert site.after(1) == []
    assert site.active == []


def test_a_stage_whose_quality_declines(site: Site) -> None:
    for i in range(20):
        site.clock.advance(1)
        rating = Feedback(
            id=f"f{i}", recorded_at=site.clock.now(), segment=SEGMENT, tier="cheap", quality=0.9 if i < 10 else 0.5
        )
        site.learner.record(rating)
    (alert,) = site.alerting.check()
    assert (alert.alert_type, alert.severity, alert.segment) == (AlertType.QUALITY_DECLINE, Severity.WARNING, SEGMENT)
    assert alert.metric_value == pytest.approx(-0.4 / 0.9)
    assert alert.threshold_value == -0.2


def test_the_history_is_bounded_and_so_is_what_is_remembered(store: MemoryStore, clock: ManualClock) -> None:
    site = Site(store, clock, AlertThresholds(history_limit=5, cooldown_s=0, resolve_after_s=0))
    for i in range(20):
        site.calls(3, f"m{i}", success=False)
        site.after(WINDOW_S * 2)
        site.calls(3, f"m{i}", success=False)
        site.after(1)
        assert len(site.alerting.history) <= 5
        assert len(site.alerting._alarms) <= 4
    site.close()
    assert len(Alerting(Learner(store, clock=clock), AlertThresholds(history_limit=5)).history) == 5


def test_history_and_cooldown_outlive_the_process(site: Site, store: MemoryStore, clock: ManualClock) -> None:
    site.calls(latency_ms=600.0)
    site.calls(3, "bad", success=False)
    site.after(0)
    site.calls(1, "bad")
    site.after(100)
    before = (site.alerting.history, site.alerting.active)
    assert len(before[0]) == 3
    assert len(before[1]) < 3
    site.close()

    later = Site(store, clock)
    assert (later.alerting.history, later.alerting.active) == before
    assert later.after(199.999) == []
    assert "high_latency WARNING" in later.after(0.001)
    later.close()


def test_a_restart_after_a_clock_that_was_ahead_suppresses_for_one_cooldown_at_most(
    site: Site, store: MemoryStore, clock: ManualClock
) -> None:
    site.calls(latency_ms=600.0)
    site.after(0)
    site.close()
    clock.step(-7 * 86_400.0)
    later = Site(store, clock)
    later.calls(latency_ms=600.0)
    assert later.after(299.999) == []
    assert later.after(0.001) == ["high_latency WARNING"]
    later.close()


@pytest.mark.parametrize("step_s", [-300.0, -3_600.0, 600.0, -7 * 86_400.0])
def test_a_stepped_clock_neither_lifts_nor_lengthens_the_cooldown(site: Site, step_s: float) -> None:
    site.calls(latency_ms=600.0)
    assert site.after(0) == ["high_latency WARNING"]
    site.clock.step(step_s)
    site.calls(latency_ms=600.0)
    assert site.after(299.999) == []
    assert site.after(0.001) == ["high_latency WARNING"]
    assert len(site.alerting.history) == 2


def test_processes_that_share_a_store_alert_once(store: MemoryStore, clock: ManualClock) -> None:
    one, two = Site(store, clock), Site(store, clock)
    one.calls(latency_ms=600.0)
    two.learner.catch_up()
    assert one.after(0) == two.after(0) == ["high_latency WARNING"]
    one.learner.flush()
    two.learner.flush()
    assert one.alerting.active[0].alert_id == two.alerting.active[0].alert_id
    logged = store.recent_alerts(10)
    assert [alert.alert_id for alert in logged] == [one.alerting.active[0].alert_id]
    one.close()
    two.close()


def test_an_alert_of_another_process_is_known_and_cools_down_here(store: MemoryStore, clock: ManualClock) -> None:
    one, two = Site(store, clock), Site(store, clock)
    one.calls(latency_ms=600.0)
    one.after(0)
    one.learner.flush()
    clock.advance(10)
    two.learner.catch_up()
    assert two.active == ["high_latency WARNING"]
    assert two.after(0) == []
    one.calls(1_000)
    one.after(60)
    one.learner.flush()
    two.learner.catch_up()
    assert one.active == two.active == []
    assert one.alerting.history == two.alerting.history
    one.close()
    two.close()


def test_of_two_alerts_of_one_kind_the_later_stands(store: MemoryStore, clock: ManualClock) -> None:
    """Two processes noticed the same in two slots of the cooldown and did not know of each other yet."""
    one, two = Site(store, clock), Site(store, clock)
    clock.advance(299)
    one.calls(latency_ms=600.0)
    one.after(0)
    two.learner._listeners = ()  # deaf until it has fired too
    two.learner.catch_up()
    two.after(1)
    two.learner.flush()
    one.learner.catch_up()
    assert [alert.alert_id for alert in one.alerting.active] == [alert.alert_id for alert in two.alerting.active]
    assert len(one.alerting.history) == 2
    assert [alert.resolved_at is None for alert in one.alerting.history] == [True, False]
    one.close()
    two.close()


def test_who_takes_care_of_an_incident_does_so_when_it_fires_again_and_not_when_it_is_worse(
    site: Site, store: MemoryStore, clock: ManualClock
) -> None:
    site.calls(latency_ms=600.0)
    site.after(0)
    site.alerting.acknowledge(site.alerting.active[0].alert_id, "ada", "on it")
    assert site.after(300) == ["high_latency WARNING"]
    assert [(alert.acknowledged_by, alert.note) for alert in site.alerting.history] == [("ada", "on it")] * 2
    site.learner.flush()
    later = Site(store, clock)
    assert later.alerting.active == site.alerting.active
    later.close()
    site.calls(latency_ms=5_000.0)
    assert site.after(1) == ["high_latency CRITICAL"]
    assert site.alerting.active[0].acknowledged_by is None


def test_a_milder_alert_from_before_that_is_heard_of_later_does_not_take_the_place_of_a_worse_one(
    site: Site, store: MemoryStore, clock: ManualClock
) -> None:
    """Another process warned, and this one saw what is worse before it heard of that."""
    warned = Alert(
        alert_id="w",
        timestamp=clock.now(),
        severity=Severity.WARNING,
        alert_type=AlertType.HIGH_LATENCY,
        message="WARNING: P95 latency 600.0ms exceeds warning threshold 500.0ms",
    )
    site.calls(latency_ms=5_000.0)
    assert site.after(1) == ["high_latency CRITICAL"]
    store.append([warned], fold)
    site.learner.catch_up()
    assert site.active == ["high_latency CRITICAL"]
    assert [alert.resolved_at for alert in site.alerting.history] == [None, clock.now()]


def test_a_store_that_is_away_delays_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.calls(latency_ms=600.0)
    left: list[Alert] = []
    monkeypatch.setattr(site.learner, "leave", left.append)
    assert site.after(0) == ["high_latency WARNING"]
    assert left == site.alerting.active


def test_a_history_that_cannot_be_read_at_the_start_is_read_when_the_store_is_back(
    site: Site, store: MemoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.calls(latency_ms=600.0)
    site.after(0)
    site.learner.flush()

    def away(limit: int) -> list[Alert]:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(store, "recent_alerts", away)
        late = Site(store, clock)
        assert late.alerting.history == []
    assert late.after(1) == [], "it is active already, and known to be"
    assert late.alerting.history == site.alerting.history
    late.close()


def test_after_closing_nothing_is_followed_any_more(site: Site, store: MemoryStore, clock: ManualClock) -> None:
    other = Site(store, clock)
    other.alerting.close()
    other.alerting.close()
    site.calls(latency_ms=600.0)
    site.after(0)
    site.learner.flush()
    other.learner.catch_up()
    assert other.alerting.history == []
    other.close()
