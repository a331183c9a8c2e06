"""How much each source of ratings counts: no single one may outweigh the others, however often it speaks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from statistics import median


def weights(counts: Mapping[str, int], min_samples: int, trusted: frozenset[str]) -> dict[str, float]:
    """The weight of each source, given how many ratings each gave.

    The weight of a source that is not `trusted` is capped at the median number of ratings of the other sources, or at
    what is missing to `min_samples` where that is more. A source that is alone counts in full: there is nothing to
    weigh it against. Cost: one median per distinct number of ratings.
    """
    if len(counts) == 1:
        return {source: float(count) for source, count in counts.items()}
    ordered = sorted(counts.values())
    caps = {count: _cap(count, ordered, min_samples) for count in set(ordered)}
    return {
        source: float(count) if source in trusted else min(float(count), caps[count])
        for source, count in counts.items()
    }


def _cap(count: int, ordered: list[int], min_samples: int) -> float:
    """The most a source may count that gave `count` of the ratings whose numbers per source are `ordered`."""
    place = bisect_left(ordered, count)
    others = ordered[:place] + ordered[place + 1 :]
    return max(float(median(others)), float(min_samples - sum(others)))
