from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.happenings import decision, outcome
from tiercel.adapters.memory_store import MemoryStore
from tiercel.services.learning.learner import Learner
from tiercel.services.watching.pace import WINDOW_S, Pace
from tiercel.testing import ManualClock


@pytest.fixture
def learner() -> Iterator[Learner]:
    learner = Learner(MemoryStore(), clock=ManualClock())
    yield learner
    learner.close()


def test_decisions_of_the_last_minute(learner: Learner) -> None:
    clock = learner.clock
    assert isinstance(clock, ManualClock)
    pace = Pace(learner)
    assert pace.per_s is None, "nobody knows in the first second"
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
