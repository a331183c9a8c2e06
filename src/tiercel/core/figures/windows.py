"""Stretches of time that figures are shown for, in the points that the time buckets of the state allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tiercel.core.statistics.buckets import DAY_S, FOREVER_S, HOUR_S, LADDER, Bucket
from tiercel.core.statistics.sums import Sums, total
from tiercel.domain.performance import TimeRange

Buckets = Mapping[Bucket, Sums]

POINT_S: Mapping[TimeRange, int] = {
    TimeRange.LAST_HOUR: LADDER[0].width_s,
    TimeRange.LAST_24_HOURS: HOUR_S,
    TimeRange.LAST_7_DAYS: HOUR_S,
    TimeRange.LAST_30_DAYS: DAY_S,
}
"""How wide the points of a range are: no finer than its oldest buckets."""


@dataclass(frozen=True, slots=True)
class Window:
    """What ended after `since_s` and, where there is an `until_s`, not after that; in seconds since the epoch.

    A time bucket is in it wholly or not at all, so windows that touch share nothing and leave nothing out.
    """

    since_s: float
    until_s: float | None = None

    def covers(self, bucket: Bucket) -> bool:
        """Whether that bucket counts."""
        width_s, start_s = bucket
        end_s = start_s + width_s
        return width_s < FOREVER_S and end_s > self.since_s and (self.until_s is None or end_s <= self.until_s)

    def of(self, buckets: Buckets) -> Iterator[tuple[Bucket, Sums]]:
        """The buckets that count, with what is in them."""
        return ((bucket, sums) for bucket, sums in buckets.items() if self.covers(bucket))

    def total(self, buckets: Buckets) -> Sums:
        """What is in the buckets that count; about 10 us for each."""
        return total(sums for _, sums in self.of(buckets))


def recent(time_range: TimeRange, now_s: float) -> Window:
    """That range, until now and what a clock that is ahead stamped later."""
    return Window(now_s - time_range.window_s)


def before(time_range: TimeRange, now_s: float) -> Window | None:
    """The range of the same length before it; None where the state no longer tells that from what was earlier."""
    since_s = now_s - 2 * time_range.window_s
    return Window(since_s, now_s - time_range.window_s) if now_s - since_s <= LADDER[-2].keep_s else None


@dataclass(frozen=True, slots=True)
class Grid:
    """The points of a range: each begins at a multiple of `width_s`, the last holds now."""

    width_s: int
    first_s: int
    length: int

    @classmethod
    def of(cls, time_range: TimeRange, now_s: float) -> Grid:
        """The points from the beginning of the range until now: at most 169."""
        width_s = POINT_S[time_range]
        first, last = int((now_s - time_range.window_s) // width_s), int(now_s // width_s)
        return cls(width_s, first * width_s, last - first + 1)

    @property
    def starts_s(self) -> list[int]:
        """When each point begins."""
        return [self.first_s + i * self.width_s for i in range(self.length)]

    def place(self, bucket: Bucket) -> int:
        """The point that a bucket of the window belongs to. What a clock ahead stamped belongs to the last."""
        return min(max((bucket.start_s - self.first_s) // self.width_s, 0), self.length - 1)
