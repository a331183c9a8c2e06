from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.happenings import REVIEW, feedback
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.services.watching.advice import FRESH_S, STALE_S, Advice
from tiercel.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def learner(clock: ManualClock) -> Iterator[Learner]:
    learner = Learner(MemoryStore(), clock=clock)
    yield learner
    learner.close()


def test_the_log_is_asked_no_more_often_than_advice_can_have_changed(learner: Learner, clock: ManualClock) -> None:
    quality = FeedbackService(learner.store, fold=fold, clock=clock, new_id=lambda: "f", FEEDBACK_TTL=30.0)
    advice = Advice(quality, learner)
    _, workflow, stage = REVIEW
    first = advice.of(workflow, stage)
    assert first.reason == "No feedback data available"
    learner.record(*(feedback(f"f{n}", 0.5) for n in range(12)))
    assert advice.of(workflow, stage) is first, "a page that reads every second does not ask every second"
    clock.advance(FRESH_S)
    second = advice.of(workflow, stage)
    assert second.recommended_tier == "capable"
    clock.advance(STALE_S - 1)
    assert advice.of(workflow, stage) is second, "nothing was learned of the stage"
    clock.advance(1)
    assert advice.of(workflow, stage).stats == {}, "the ratings are too old by now"
