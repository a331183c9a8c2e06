"""Whose ratings are learned, and when: written on each before it is logged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.happenings import REVIEW, feedback
from support.reported import Reported
from tiercel.core.policies.base import Situation
from tiercel.core.policies.contextual import ContextualPolicy
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile, Price
from tiercel.domain.events import Feedback
from tiercel.domain.request import RequestContext
from tiercel.services.learning.labels import labelled
from tiercel.testing import ManualClock

MODELS = (
    ModelProfile(model_id="small", tier="cheap", price=Price(0.1, 0.4)),
    ModelProfile(model_id="large", tier="premium", price=Price(2.5, 10.0)),
)


class Stage:
    """A stage whose small model serves best, as twenty users said five times each of either model."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.knowledge = Knowledge()
        for user in range(20):
            for i in range(5):
                self.clock.advance(600)
                self.say(f"user:{user}", [("small", 0.95), ("large", 0.85)], i)

    def say(
        self, source: str, ratings: list[tuple[str, float]], number: int, trusted: frozenset[str] = frozenset()
    ) -> list[Feedback]:
        now = self.clock.now()
        said = [
            replace(feedback(f"{source}/{number}/{i}", quality, model=model, source=source), recorded_at=now)
            for i, (model, quality) in enumerate(ratings)
        ]
        logged = labelled(said, self.knowledge, micros(now), trusted)
        self.knowledge.add(fold(logged), now_us=micros(now))
        return [event for event in logged if isinstance(event, Feedback)]

    def shares(self) -> dict[str, float]:
        situation = Situation(RequestContext(), REVIEW, MODELS, self.knowledge, "", micros(self.clock.now()))
        return {c.model_id: c.probability for c in ContextualPolicy().propose(situation).candidates}


@pytest.mark.parametrize("batch", [1, 100, 2_000])
def test_fault_15_one_source_with_false_ratings_moves_no_share(batch: int, reported: Reported) -> None:
    """However they arrive: one by one, or thousands in one commit."""
    stage = Stage()
    before = stage.shares()
    counted = 0.0
    count = 100_000 if batch == 2_000 else 2_000
    for n in range(0, count, batch):
        stage.clock.advance(1)
        counted += sum(event.label.weight for event in stage.say("mallory", [("small", 0.0)] * batch, n))
    after = stage.shares()
    what = f"contextual: {count:,} zeros of one source in batches of {batch:,}, {counted:.0f} counted: share moved by"
    reported.most("hostile-source", what, abs(before["small"] - after["small"]), 0.02)
    assert before["small"] > 0.5
    assert counted <= 5
    assert after == pytest.approx(before, abs=0.02)


def test_fault_15_how_many_hostile_sources_it_takes(reported: Reported) -> None:
    """Among twenty honest ones, each sending a thousand, until the large model is believed in."""
    taken = 0
    small = 1.0
    while small > 0.5 and taken < 40:
        taken += 1
        stage = Stage()
        for source in range(taken):
            stage.clock.advance(1)
            stage.say(f"mallory:{source}", [("small", 0.0)] * 1_000, 0)
        small = stage.shares()["small"]
    what = "contextual: hostile sources among 20 honest ones that move the decision"
    reported.told("hostile-source", what, f"{taken}")
    assert 3 <= taken < 40


def test_who_is_trusted_is_heard_in_full() -> None:
    stage = Stage()
    said = stage.say("nightly", [("small", 0.0)] * 500, 0, frozenset({"nightly"}))
    assert {event.label.weight for event in said} == {1.0}


def test_a_diligent_evaluator_whom_the_others_bear_out_is_heard_in_full() -> None:
    stage = Stage()
    said = stage.say("diligent", [("small", 0.9)] * 500, 0)
    assert {event.label.weight for event in said} == {1.0}


def test_ticks_advance_by_what_counts_and_what_is_no_model_s_stays_as_it_is() -> None:
    stage = Stage()
    before = stage.knowledge.clock(REVIEW)
    stage.clock.advance(3_600)
    said = stage.say("user:0", [("small", 0.95)] * 3, 9)
    ticks = [event.label.tick for event in said]
    assert ticks == sorted(ticks)
    assert ticks[0] > before.tick
    of_a_tier = feedback("t", model="")
    assert labelled([of_a_tier], stage.knowledge, micros(stage.clock.now()), frozenset()) == [of_a_tier]
