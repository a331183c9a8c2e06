"""Whose ratings are heard: the newest, and no source more often than its fair share of them."""

from __future__ import annotations

from collections.abc import Mapping


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
