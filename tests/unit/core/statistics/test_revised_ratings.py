"""A rating that is revised to another tier or model counts there and nowhere else."""

from __future__ import annotations

from itertools import permutations

import pytest

from support.happenings import REVIEW, at, feedback
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.alerts.figures import breaches
from tiercel.core.statistics.fold import Deltas, fold, micros, model_key, segment_model_key, segment_tier_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.events import Feedback

GIVEN = (
    feedback("f1", 0.1, seconds=1, tier="cheap", model="small", decision_id="dec_1", source="user:1"),
    feedback("f2", 0.9, seconds=2, tier="premium", model="large", decision_id="dec_1", source="user:1"),
    feedback("f3", 0.5, seconds=3, tier="premium", model="middle", decision_id="dec_1", source="user:1"),
)
COUNTS = (segment_tier_key(REVIEW, "premium"), segment_model_key(REVIEW, "middle"), model_key("middle"))
COUNTS_NOT = (
    segment_tier_key(REVIEW, "cheap"),
    *(key for model in ("small", "large") for key in (segment_model_key(REVIEW, model), model_key(model))),
)


def logged(ratings: tuple[Feedback, ...]) -> list[Feedback]:
    store = MemoryStore()
    return [
        event for rating in ratings for event in store.append([rating], fold).accepted if isinstance(event, Feedback)
    ]


@pytest.mark.parametrize("arrival", list(permutations(GIVEN)))
def test_it_counts_once_in_whatever_order_the_ratings_arrive_and_are_learned(arrival: tuple[Feedback, ...]) -> None:
    for learned in permutations(logged(arrival)):
        one_by_one, together = Deltas(), fold(learned)
        for event in learned:
            one_by_one.merge(fold([event]))
        assert one_by_one.climbed(0.0) == together.climbed(0.0)
        for key in COUNTS:
            assert [rating.quality_nano for _, rating in together.ratings[key]] == [500_000_000]
            assert together.ratings[key].summary().samples == 1
        for key in COUNTS_NOT:
            held = together.ratings.get(key)
            assert held is None or (not list(held) and held.summary().mean is None)


def test_what_is_taken_back_is_no_trend() -> None:
    knowledge = Knowledge()
    for n in range(60):
        first = feedback(f"a{n}", 0.9, seconds=n, decision_id=f"dec_{n}", source="user:1")
        moved = feedback(f"b{n}", 0.9, seconds=100 + n, tier="premium", decision_id=f"dec_{n}", source="user:1")
        knowledge.add(fold(logged((first, moved))))
    assert breaches(knowledge, AlertThresholds(), micros(at(200))) == {}
