"""What models did with the most similar requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.happenings import feedback
from support.worlds import SEGMENT, model
from tiercel.core.policies.base import Situation
from tiercel.core.policies.contextual import ContextualPolicy
from tiercel.core.policies.knn import REMEMBERED, KnnPolicy
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Feedback, Label
from tiercel.domain.request import RequestContext, Segment, stage_segment
from tiercel.testing import EPOCH

NOW_US = round(EPOCH.timestamp() * 1e6)
MODELS = (model("small", "cheap"), model("large", "premium"))
LOW, HIGH = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0)
BASIS = "text-1"


def situation(vector: tuple[float, ...], segment: Segment = SEGMENT) -> Situation:
    return Situation(RequestContext(), segment, MODELS, Knowledge(), "", NOW_US, vector=vector, basis=BASIS)


def rated(
    name: str, quality: float, vector: tuple[float, ...], count: int, *, segment: Segment = SEGMENT, weight: float = 1.0
) -> list[Feedback]:
    label = Label(vector, BASIS, weight=weight)
    return [
        replace(feedback(f"{name}/{quality}/{vector}/{i}", quality, model=name, segment=segment), label=label)
        for i in range(count)
    ]


def expected(policy: ContextualPolicy, vector: tuple[float, ...], segment: Segment = SEGMENT) -> list[float]:
    return [prospect.quality for prospect in policy.prospects(situation(vector, segment))]


def test_neighbours_are_heard() -> None:
    policy = KnnPolicy()
    before = expected(policy, LOW)
    policy.learned(rated("small", 1.0, LOW, 40) + rated("small", 0.0, HIGH, 40))
    near, far = expected(policy, LOW)[0], expected(policy, HIGH)[0]
    prior = before[0]
    assert near == pytest.approx((15 + 5 * prior) / 20)
    assert far == pytest.approx(5 * prior / 20)
    assert expected(policy, LOW)[1] == before[1], "nobody rated the other"


def test_another_segment_or_shape_is_further_away() -> None:
    policy = KnnPolicy()
    other = stage_segment("another", "stage")
    policy.learned(rated("small", 0.0, LOW, 20, segment=other) + rated("small", 0.0, (1.0, *LOW[1:]), 20))
    policy.learned(rated("small", 1.0, (0.0, 0.5, 0.0), 20))
    assert expected(policy, LOW)[0] > 0.75
    assert expected(policy, LOW, other)[0] < 0.3


def test_what_is_not_heard_is_not_remembered_and_memory_is_bounded() -> None:
    policy = KnnPolicy()
    before = expected(policy, LOW)
    policy.learned(rated("small", 0.0, LOW, 20, weight=0.0))
    assert expected(policy, LOW) == before
    policy.learned(rated("small", 0.0, LOW, 20) + rated("small", 1.0, LOW, REMEMBERED))
    assert expected(policy, LOW)[0] > 0.85


def test_two_policies_share_no_memory() -> None:
    one, other = KnnPolicy(), KnnPolicy()
    one.learned(rated("small", 0.0, LOW, 20))
    assert expected(one, LOW) != expected(other, LOW)
