"""Whose ratings are heard: no source more often than its fair share, and none that is loud and alone.

`fair_share` chooses among ratings that are kept one by one; `weight_of` decides whether a rating counts before it goes
into sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean


def fair_share(counts: Mapping[str, int], *, heard: int, enough: int) -> int:
    """How many ratings of each source are heard, given how many each gave.

    An equal part of `heard`, rounded up; or, where most sources gave fewer than that, as many as it takes until
    `enough` are heard in all: a diligent evaluator is not silenced by a passer-by. At least 1.
    """
    share = max(1, -(-heard // max(len(counts), 1)))
    given = sorted(counts.values())
    below, filled = 0, 0
    for place, count in enumerate(given):
        # the sources before this one are heard in full; the others, this one among them, up to `needed` each
        needed = -(-(enough - below) // (len(given) - place))
        filled = max(filled, min(needed, count))
        if needed <= count:
            break
        below += count
    return max(share, filled)


AT_ODDS = 0.2
"""A source whose mean rating is further than this from what the others say is at odds with them."""
_OTHERS = 3
_FREE = 3
_LOUD = 4


def weight_of(source: str, quality: float, said: Mapping[str, Sequence[float]]) -> float:
    """1 if a rating by `source` counts, else 0. `said` are the newest ratings of the same model, by source.

    It does not where the source says something else than at least three others do, each heard once, and has said more
    than a quarter of what they do on average: one loud voice among many moves nothing, and a diligent evaluator whom
    the others bear out is heard in full.
    """
    others = {name: fmean(values) for name, values in said.items() if name != source and values}
    if len(others) < _OTHERS:
        return 1.0
    own = [*said.get(source, ()), quality]
    share = max(_FREE, round(fmean(len(said[name]) for name in others) / _LOUD))
    if len(own) <= share:
        return 1.0
    return 0.0 if abs(fmean(own) - fmean(others.values())) > AT_ODDS else 1.0
