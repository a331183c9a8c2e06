"""Whatever the models do: one alert of a kind at most, a bounded history, and a restart that changes nothing."""

from datetime import timedelta
from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.events import Outcome
from tiercel.domain.request import stage_segment
from tiercel.services.alerting import Alerting
from tiercel.services.learner import Learner
from tiercel.testing import ManualClock

COOLDOWN_S = 300.0
THRESHOLDS = AlertThresholds(cooldown_s=COOLDOWN_S, resolve_after_s=30)
numbers = count()
Spell = tuple[int, int, str, bool, float, bool]
"""Seconds pass, so many calls, of which model, did they succeed, their latency, was a request refused."""
courses = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 12),
        st.sampled_from(["m1", "m2"]),
        st.booleans(),
        st.sampled_from([100.0, 700.0, 3_000.0]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=50)
@given(courses)
def test_alerts_add_up(course: list[Spell]) -> None:
    clock, store = ManualClock(), MemoryStore()
    learner = Learner(store, clock=clock)
    alerting = Alerting(learner, THRESHOLDS)
    fired_at: dict[tuple[object, ...], list[float]] = {}
    for waited_s, calls, model, success, latency_ms, refused in course:
        clock.advance(waited_s)
        learner.knowledge.add(fold(_call(clock, i, model, latency_ms, success=success) for i in range(calls)))
        if refused:
            alerting.note_no_models()
        for alert in alerting.check():
            fired_at.setdefault((alert.key, alert.severity), []).append(clock.monotonic_s())
        active = alerting.active
        assert len({alert.key for alert in active}) == len(active)
        assert {alert.alert_id for alert in alerting.history if alert.resolved_at is None} == {
            alert.alert_id for alert in active
        }
    for times in fired_at.values():
        assert all(later - earlier >= COOLDOWN_S for earlier, later in pairwise(times))
    learner.close()

    again = Alerting(Learner(store, clock=clock), THRESHOLDS)
    assert again.active == alerting.active
    assert again.history == alerting.history


def _call(clock: ManualClock, number: int, model: str, latency_ms: float, *, success: bool) -> Outcome:
    return Outcome(
        decision_id=f"d{next(numbers)}",
        recorded_at=clock.now() + timedelta(microseconds=number),
        segment=stage_segment("w", "s"),
        model=model,
        tier="cheap",
        success=success,
        latency_ms=latency_ms,
    )
