"""What a part of a log had taught that is gone, from what is known of the whole and what the other parts still teach.

What is kept for one segment was taught by the part that the segment belongs to. What is kept for everything, for a
model over all segments, or for an agent, which may work in many, is a sum over the parts: what the others hold is taken
off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tiercel.core.statistics.fold import Deltas, Key, model_key, segment_of
from tiercel.core.statistics.recent_outcomes import RecentOutcomes
from tiercel.core.statistics.recent_ratings import RecentRatings
from tiercel.core.statistics.sums import Sums, total
from tiercel.domain.request import Segment

_T = TypeVar("_T")


def remainder(held: Deltas, others: Deltas, is_lost: Callable[[Segment], bool]) -> Deltas:
    """What `held` has of segments that are lost, and of wider keys beyond `others`.

    Both have to know the same of what is not lost, in the same time buckets. The smallest and largest latency of a
    wider key are those of `held`. Cost linear in both.
    """

    def kept(parts: Mapping[Key, _T]) -> dict[Key, _T]:
        return {key: part for key, part in parts.items() if (segment := segment_of(key)) and is_lost(segment)}

    lost = Deltas(ratings=kept(held.ratings), moments=kept(held.moments), usage=kept(held.usage))
    lost.standings = {place: standing for place, standing in held.standings.items() if is_lost(standing.segment)}
    lost.clocks = {segment: clock for segment, clock in held.clocks.items() if is_lost(segment)}
    for key, ratings in list(lost.ratings.items()):
        if key[-2] == "model":
            lost.ratings.setdefault(model_key(key[-1]), RecentRatings()).merge(ratings)
    stages = {key: newest for key, newest in kept(held.outcomes).items() if _of_a_stage(key)}
    wide = {key: newest for key, newest in held.outcomes.items() if not _of_a_stage(key)}
    beyond = {key: RecentOutcomes.of(set(newest) - set(others.outcomes.get(key, ()))) for key, newest in wide.items()}
    lost.outcomes = stages | {key: newest for key, newest in beyond.items() if len(newest)}
    for (key, bucket), sums in held.sums.items():
        if not _of_a_stage(key):
            left = _beyond(sums, others.sums.get((key, bucket)))
        else:
            left = sums if is_lost(key[:3]) else Sums()
        if left:
            lost.sums[key, bucket] = left
    return lost


def _of_a_stage(key: Key) -> bool:
    return key[:1] == ("stage",)


def _beyond(held: Sums, others: Sums | None) -> Sums:
    left = total([held])
    if others is not None:
        left.take_off(others)
    # what others know and this does not is theirs to keep
    return left if left.requests >= 0 and left.ratings >= 0 else Sums()
