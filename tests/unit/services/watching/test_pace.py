from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.happenings import decision, outcome
from tiercel.adapters.memory_store import MemoryStore
from tiercel.services.learning.learner import Learner
from tiercel.services.watching.pace import WINDOW_S, Pace
from tiercel.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def learner(clock: ManualClock) -> Iterator[Learner]:
    learner = Learner(MemoryStore(), clock=clock)
    yield learner
    learner.close()


def test_decisions_of_the_last_minute(learner: Learner, clock: ManualClock) -> None:
    pace = Pace(learner)
    unknown = pace.per_s
    assert unknown is None, "nobody knows in the first second"
    clock.advance(10.0)
    learner.record(*(decision(n) for n in range(20)), outcome(1))
    assert pace.per_s == 2.0
    clock.advance(0.5)
    learner.record(*(decision(n) for n in range(20, 22)))
    clock.advance(WINDOW_S - 10.5)
    assert pace.per_s == pytest.approx(22 / WINDOW_S)
    clock.advance(WINDOW_S)
    assert pace.per_s == 0.0
    pace.close()
    learner.record(decision(99))
    assert pace.per_s == 0.0
