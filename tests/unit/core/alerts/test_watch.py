"""What it costs to look: nothing depends on the history, and little on how many segments there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tiercel.core.alerts import watch as alert_watch
from tiercel.core.alerts.watch import LOOKED, SWEPT, Watch
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.events import Event, Outcome
from tiercel.domain.request import Segment, stage_segment
from tiercel.testing import EPOCH

RULE = AlertRule(name="bad", metric="success_rate", workflow="*", warning=0.5, minimum_sample=1)
QUIET = AlertThresholds(minimum_sample=10**9, rapid_failures=100)


def failure(number: int, stage: str, seconds: float = 0.0, *, success: bool = False) -> Outcome:
    at, segment = EPOCH + timedelta(seconds=seconds), stage_segment("w", stage)
    return Outcome(
        decision_id=f"d{number}", recorded_at=at, segment=segment, model="m", tier="t", success=success, latency_ms=1.0
    )


def now_us(seconds: float = 0.0) -> int:
    return micros(EPOCH + timedelta(seconds=seconds))


def knowing(events: list[Event]) -> Knowledge:
    knowledge = Knowledge()
    knowledge.add(fold(events))
    return knowledge


class Counted(Watch):
    """A watch that counts the segments it looks at."""

    looked = 0

    def _next(self, knowledge: Knowledge) -> list[Segment]:
        chosen = super()._next(knowledge)
        self.looked = len(chosen)
        return chosen


def test_a_look_does_not_depend_on_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Additions of time buckets and samples that are read, for one and for ten times the history of two days."""
    costs = []
    for many in (1, 10):
        events: list[Event] = [
            failure(hour * 100 + i, f"s{i % 3}", hour * 3_600.0) for hour in range(48) for i in range(10 * many)
        ]
        knowledge, reads = knowing(events), 0
        knowledge.compact(now_us(48 * 3_600) / 1e6)
        real = Knowledge.sums

        def counting(self: Knowledge, *args: object, **more: object) -> object:
            nonlocal reads
            reads += len(self._sums.get(args[0], ()))  # type: ignore[call-overload]
            return real(self, *args, **more)  # type: ignore[arg-type] # noqa: B023

        with monkeypatch.context() as patch:
            patch.setattr(Knowledge, "sums", counting)
            Watch(AlertThresholds(), [RULE]).look(knowledge, now_us(47 * 3_600 + 60))
        costs.append(reads)
    assert costs[0] == costs[1] > 0


def test_of_ten_thousand_segments_it_looks_at_those_that_changed_and_some_in_their_turn() -> None:
    knowledge = knowing([failure(i, f"s{i}", success=True) for i in range(10_000)])
    watch = Counted(QUIET, [RULE])
    looks = 0
    while True:
        watch.look(knowledge, now_us())
        looks += 1
        assert watch.looked <= LOOKED + SWEPT
        if watch.looked <= SWEPT:
            break
    assert looks <= 12
    knowledge.add(fold([failure(20_000, "s17"), failure(20_001, "s17")]))
    breached = watch.look(knowledge, now_us())
    assert [key.segment[2] for key in breached] == ["s17"]
    assert watch.looked <= SWEPT + 1


def test_what_only_ages_is_found_in_its_turn() -> None:
    """Nothing is learned, and yet the successes leave the window before the failures."""
    events: list[Event] = [failure(i, f"s{i}", success=True) for i in range(1_000)]
    events += [failure(5_000 + i, f"s{i}", 600.0) for i in range(1_000)]
    events += [replace(failure(9_000 + i, f"s{i}", success=True), decision_id=f"x{i}") for i in range(1_000)]
    knowledge, watch = knowing(events), Watch(QUIET, [RULE])

    def breached(seconds: float) -> int:
        return sum(1 for key in watch.look(knowledge, now_us(seconds)) if key.rule == RULE.name)

    assert [breached(610) for _ in range(6)] == [0] * 6
    looks = [breached(1_300) for _ in range(10)]
    assert looks[0] == SWEPT
    assert looks[-1] == 1_000
    assert [breached(3_000) for _ in range(10)][-1] == 0


def test_what_is_no_longer_held_is_found_clear() -> None:
    knowledge, watch = knowing([failure(1, "s")]), Watch(QUIET, [RULE])
    assert len(watch.look(knowledge, now_us())) == 1
    knowledge.replace(fold([failure(2, "other", success=True)]))
    assert watch.look(knowledge, now_us()) == {}


def test_the_limits_are_those_that_the_page_names() -> None:
    assert (alert_watch.LOOKED, alert_watch.SWEPT) == (1_000, 200)
