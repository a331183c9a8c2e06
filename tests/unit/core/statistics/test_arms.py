"""Ratings by the arm of a rollout: added, taken back, rebuilt, and dropped when the step is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.happenings import REVIEW, at, feedback
from tiercel.core.statistics.arms import arm_key, arm_name
from tiercel.core.statistics.fold import OVERALL, Deltas, Key, fold
from tiercel.core.statistics.forget import forget_ratings
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.changes import GATE
from tiercel.domain.events import Feedback, Label, Rating, StandingChange

NEW = arm_key(REVIEW, 3, 1)


def rated(name: str, quality: float, arm: int = 1, step: int = 3) -> Feedback:
    given = feedback(name, quality, decision_id=name, source="user")
    return replace(given, label=Label(arm=arm_name(step, arm)))


def figures(state: Deltas, key: Key) -> list[float]:
    """How many ratings, and their sum."""
    sums = [some for (place, _), some in state.sums.items() if place == key]
    return [sum(some.ratings for some in sums), sum(some.quality_nano for some in sums) / 1e9]


def gate(revision: int) -> StandingChange:
    return StandingChange(
        changed_at=at(0),
        segment=REVIEW,
        policy=GATE,
        previous="a",
        current="b",
        reason="",
        confidence=1,
        revision=revision,
    )


def test_ratings_count_for_their_arm_and_where_they_always_do() -> None:
    state = fold([rated("f1", 0.5), rated("f2", 0.7), rated("f3", 0.9, arm=0), feedback("f4", 0.1)])
    assert figures(state, NEW) == pytest.approx([2, 1.2])
    assert figures(state, arm_key(REVIEW, 3, 0)) == pytest.approx([1, 0.9])
    assert figures(state, OVERALL)[0] == 4


def test_a_revised_rating_is_taken_back_from_its_arm() -> None:
    old = rated("f1", 0.5)
    taken_back = Rating(old.quality, old.recorded_at, old.tier, old.model, old.label)
    new = replace(rated("f2", 0.9), decision_id="f1", recorded_at=at(5), replaces=taken_back)
    assert figures(fold([old, new]), NEW) == pytest.approx([1, 0.9])


def test_forgotten_ratings_leave_their_arm_and_count_nowhere_twice() -> None:
    state = fold([rated("f1", 0.5), rated("f2", 0.7)])
    forget_ratings(state, "review", None)
    assert not state.sums


@pytest.mark.parametrize(("revision", "kept"), [(2, True), (3, True), (4, False)])
def test_an_arm_is_dropped_when_its_step_is_over(revision: int, kept: bool) -> None:  # noqa: FBT001 - a case
    state = fold([rated("f1", 0.5), gate(revision)])
    assert (NEW in {key for key, _ in state.climbed(0.0).sums}) is kept
    knowledge = Knowledge()
    knowledge.add(state)
    knowledge.compact(0.0)
    assert (knowledge.sums(NEW).ratings == 1) is kept
    assert (NEW in knowledge.keys_of(REVIEW)) is kept
