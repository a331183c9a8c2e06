from __future__ import annotations

import pytest

from support.happenings import outcome
from tiercel.core.figures.windows import Grid, before, recent
from tiercel.core.statistics.buckets import DAY_S, FOREVER_S, HOUR_S, Bucket
from tiercel.core.statistics.fold import OVERALL, fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.performance import TimeRange
from tiercel.testing import EPOCH

NOW_S = EPOCH.timestamp() + 40 * DAY_S + 4321.0


@pytest.mark.parametrize(
    ("time_range", "width_s", "points"),
    [
        (TimeRange.LAST_HOUR, 300, 13),
        (TimeRange.LAST_24_HOURS, HOUR_S, 25),
        (TimeRange.LAST_7_DAYS, HOUR_S, 169),
        (TimeRange.LAST_30_DAYS, DAY_S, 31),
    ],
)
def test_points_are_as_wide_as_the_oldest_buckets_of_a_range(time_range: TimeRange, width_s: int, points: int) -> None:
    grid = Grid.of(time_range, NOW_S)
    assert (grid.width_s, grid.length, len(grid.starts_s)) == (width_s, points, points)
    assert grid.starts_s[0] <= NOW_S - time_range.window_s < grid.starts_s[0] + width_s
    assert grid.starts_s[-1] <= NOW_S < grid.starts_s[-1] + width_s
    assert all(start % width_s == 0 for start in grid.starts_s)


@pytest.mark.parametrize("time_range", list(TimeRange))
def test_a_window_and_the_one_before_it_touch_and_share_nothing(time_range: TimeRange) -> None:
    now, past = recent(time_range, NOW_S), before(time_range, NOW_S)
    if past is None:
        assert time_range is TimeRange.LAST_30_DAYS, "sixty days ago is no longer told from what was before"
        return
    knowledge = Knowledge()
    step_s = time_range.window_s / 7
    ages_s = [step_s * (i + 0.5) for i in range(20)]
    knowledge.add(fold([outcome(i, seconds=NOW_S - EPOCH.timestamp() - age) for i, age in enumerate(ages_s)]))
    knowledge.compact(NOW_S)
    buckets = knowledge.look(lambda state: dict(state[OVERALL]))
    assert now.total(buckets) == knowledge.sums(OVERALL, since_s=NOW_S - time_range.window_s)
    assert now.total(buckets).requests == pytest.approx(7, abs=1)
    assert past.total(buckets).requests == pytest.approx(7, abs=1)
    assert not any(now.covers(bucket) and past.covers(bucket) for bucket in buckets)


def test_what_is_older_than_all_windows_is_in_none() -> None:
    for time_range in TimeRange:
        assert not recent(time_range, NOW_S).covers(Bucket(FOREVER_S, 0))


def test_what_a_clock_ahead_stamped_belongs_to_the_last_point() -> None:
    grid = Grid.of(TimeRange.LAST_HOUR, NOW_S)
    ahead = Bucket(300, int(NOW_S // 300 + 5) * 300)
    assert recent(TimeRange.LAST_HOUR, NOW_S).covers(ahead)
    assert grid.place(ahead) == grid.length - 1
    assert grid.place(Bucket(HOUR_S, int((NOW_S - 2 * HOUR_S) // HOUR_S) * HOUR_S)) == 0
