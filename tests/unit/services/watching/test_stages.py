from __future__ import annotations

import pytest

from support.happenings import REVIEW, at, feedback, outcome
from tiercel.core.figures.readings import Place
from tiercel.core.statistics.buckets import DAY_S
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import Event
from tiercel.domain.request import Segment, agent_segment, stage_segment
from tiercel.services.watching.stages import StageView, stages
from tiercel.testing import ManualClock

NOW_S = 3 * DAY_S


def viewed(*events: Event, place: Place | None = None) -> list[StageView]:
    knowledge, clock = Knowledge(), ManualClock()
    clock.advance(NOW_S)
    knowledge.add(fold(events))
    assert clock.now() == at(NOW_S)
    return list(stages(knowledge, clock, quality_threshold=0.7, min_samples=10, place=place or Place()))


def rated(
    segment: Segment, qualities: list[float], *, tier: str = "cheap", seconds: float = NOW_S - 500
) -> list[Event]:
    return [
        feedback(f"{segment}{tier}{n}", quality, segment=segment, tier=tier, seconds=seconds + n)
        for n, quality in enumerate(qualities)
    ]


def called(segment: Segment, model: str, count: int, *, seconds: float = NOW_S - 500) -> list[Event]:
    return [outcome(n, segment=segment, model=model, seconds=seconds + n % 300) for n in range(count)]


def test_who_serves_and_what_is_tried() -> None:
    (view,) = viewed(
        *called(REVIEW, "small", 95),
        *called(REVIEW, "large", 5),
        *called(REVIEW, "middle", 50, seconds=NOW_S - 2 * DAY_S),
        *rated(REVIEW, [0.9] * 6, tier="cheap"),
        *rated(REVIEW, [0.5] * 6, tier="premium", seconds=NOW_S - 400),
    )
    assert (view.workflow, view.stage, view.requests) == ("review", "analysis", 100)
    assert dict(view.share) == {"small": 0.95, "large": 0.05}
    assert [(probe.model_id, probe.share, probe.requests) for probe in view.probes] == [("large", 0.05, 5)]
    assert view.quality.mean == pytest.approx(0.7)
    assert view.quality.ratings == 12
    assert view.trend == pytest.approx((0.5 - 0.9) / 0.9)


def test_the_worst_first_and_the_unrated_last() -> None:
    bad, good, few, idle, busy = (stage_segment("w", name) for name in ("bad", "good", "few", "idle", "busy"))
    views = viewed(
        *rated(good, [0.95] * 10),
        *rated(bad, [0.4] * 10),
        *rated(few, [0.1] * 9),
        *called(idle, "small", 1),
        *called(busy, "small", 3),
        *called(agent_segment("a"), "small", 3),
    )
    assert [(view.stage, view.underperforming) for view in views] == [
        ("bad", True),
        ("few", False),  # too few ratings to say so
        ("good", False),
        ("busy", False),
        ("idle", False),
    ]
    assert (views[-1].quality.mean, views[-1].trend) == (None, None)


def test_one_stage_or_workflow_may_be_asked_for() -> None:
    events = [
        *called(stage_segment("w", "a"), "m", 1),
        *called(stage_segment("w", "b"), "m", 1),
        *called(REVIEW, "m", 1),
    ]
    assert {view.stage for view in viewed(*events, place=Place("w"))} == {"a", "b"}
    assert {view.stage for view in viewed(*events, place=Place("w", "b"))} == {"b"}
    assert viewed() == viewed(*events, place=Place("nobody")) == []
