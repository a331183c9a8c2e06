from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.quality import FeedbackEntry, QualityStats
from tiercel.services.ids import new_feedback_id
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.services.watching.analytics import declining, weekly_means, worst_stages
from tiercel.testing import ManualClock


def test_the_worst_five_over_all_workflows() -> None:
    loop = FeedbackService(MemoryStore(), fold=fold, clock=ManualClock(), new_id=new_feedback_id)
    for i in range(4):
        loop.record_feedback("odd", f"s{i}", "cheap", 0.1 + 0.2 * i)  # .1 .3 .5 .7
        loop.record_feedback("even", f"s{i}", "premium", 0.2 * i)  # 0 .2 .4 .6
    worst = worst_stages(loop, ["odd", "even", "nobody's"])
    assert [(stats.workflow_name, label, round(stats.avg_quality, 9)) for label, stats in worst] == [
        ("even", "s0/premium", 0.0),
        ("odd", "s0/cheap", 0.1),
        ("even", "s1/premium", 0.2),
        ("odd", "s1/cheap", 0.3),
        ("even", "s2/premium", 0.4),
    ]
    assert len(worst_stages(loop, ["odd", "even"], limit=100)) == 7  # .7 is not below .7
    assert len(worst_stages(loop, ["odd", "even"], quality_threshold=0.25)) == 3


def entry(at: datetime, quality: float) -> FeedbackEntry:
    return FeedbackEntry("feedback_1", "w", "s", "cheap", quality, at)


def test_weekly_means() -> None:
    saturday, sunday = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    entries = [
        entry(sunday, 0.5),
        entry(saturday, 0.6),
        entry(saturday, 0.8),
        entry(datetime(2025, 12, 31, tzinfo=UTC), 1),
    ]
    assert list(weekly_means(entries).items()) == [("2025-W52", 1.0), ("2026-W08", 0.7), ("2026-W09", 0.5)]
    assert weekly_means([]) == {}


@pytest.mark.parametrize(("trend", "expected"), [(-1.0, True), (-0.2000001, True), (-0.2, False), (0.0, False)])
def test_a_decline_is_a_trend_below_a_fifth(*, trend: float, expected: bool) -> None:
    assert declining(QualityStats("w", "s", "all", 0.5, 0.0, 1.0, 10, trend)) is expected
