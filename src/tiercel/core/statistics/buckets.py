"""Time buckets: fine when young, coarse when old, one for ever at the end.

Events fall into the finest bucket of their own time; `climb` moves what has aged into the next coarser one. Widths
divide one another, so climbing is plain addition and leaves every total as it was. The memory per key is bounded by
the ladder (about 240 buckets), however many events there were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

HOUR_S = 3600
DAY_S = 24 * HOUR_S
FOREVER_S = 1 << 40


@dataclass(frozen=True, slots=True)
class Rung:
    """Buckets of `width_s` seconds, kept until they are `keep_s` seconds old."""

    width_s: int
    keep_s: int


LADDER: tuple[Rung, ...] = (
    Rung(width_s=300, keep_s=3 * HOUR_S),
    Rung(width_s=HOUR_S, keep_s=8 * DAY_S),
    Rung(width_s=DAY_S, keep_s=31 * DAY_S),
    Rung(width_s=FOREVER_S, keep_s=FOREVER_S),
)
CLOCKS_APART_US = 60_000_000
"""How far the clocks of processes may differ. What is stamped later than that is of a clock that was ahead."""
FINEST_US = LADDER[0].width_s * 1_000_000
_WIDTHS = {rung.width_s: i for i, rung in enumerate(LADDER)}


class Bucket(NamedTuple):
    """[start_s, start_s + width_s) in seconds since the epoch."""

    width_s: int
    start_s: int


def finest(number: int) -> Bucket:
    """The bucket that the events of `at_us // FINEST_US == number` fall into."""
    width_s = LADDER[0].width_s
    return Bucket(width_s, number * width_s)


def climb(bucket: Bucket, now_s: float) -> Bucket:
    """Where the content of `bucket` belongs at `now_s`: itself while it is young enough, else a coarser bucket."""
    rung = _WIDTHS[bucket.width_s]
    width_s, start_s = bucket
    while now_s - (start_s + width_s) >= LADDER[rung].keep_s:
        rung += 1
        width_s = LADDER[rung].width_s
        start_s = start_s // width_s * width_s
    return Bucket(width_s, start_s)
