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
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.learning.learner import Learner
from tiercel.testing import ManualClock

COOLDOWN_S = 300.0
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
@given(courses, st.sampled_from([3, 12, 1_000]))
def test_alerts_add_up(course: list[Spell], history_limit: int) -> None:
    clock, store = ManualClock(), MemoryStore()
    learner = Learner(store, clock=clock)
    thresholds = AlertThresholds(cooldown_s=COOLDOWN_S, resolve_after_s=30, history_limit=history_limit)
    alerting = Alerting(learner, thresholds)
    fired_at: dict[tuple[object, ...], list[float]] = {}
    for waited_s, calls, model, success, latency_ms, refused in course:
        clock.advance(waited_s)
        learner.knowledge.add(fold(_call(clock, i, model, latency_ms, success=success) for i in range(calls)))
        if refused:
            alerting.note_no_models()
        for alert in alerting.check():
            fired_at.setdefault((alert.key, alert.severity), []).append(clock.monotonic_s())
        active, history = alerting.active, alerting.history
        assert len({alert.key for alert in active}) == len(active)
        assert len(history) <= history_limit
        unresolved = {alert.alert_id for alert in history if alert.resolved_at is None}
        assert unresolved <= {alert.alert_id for alert in active}
        assert len(unresolved) == len(active) or len(history) == history_limit
    for times in fired_at.values():
        assert all(later - earlier >= COOLDOWN_S for earlier, later in pairwise(times))
    said = (alerting.active, alerting.history)
    learner.close()  # now the log repeats what was said
    assert (alerting.active, alerting.history) == said
    if history_limit == 1_000:
        again = Alerting(Learner(store, clock=clock), thresholds)
        assert (again.active, again.history) == said


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
