"""Everything that a log says of one target policy: the gate first, and estimates only where it is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.estimators.intervals import Bounds, Estimate
from tiercel.core.estimators.overlap import Overlap, overlap
from tiercel.core.estimators.robust import DoublyRobust
from tiercel.core.estimators.rows import LoggedRow, Probabilities, Weighted
from tiercel.core.estimators.weighting import ips, snips

QUALITY_BOUNDS: Bounds = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Estimates:
    """One figure by every estimator. `dr` is the one to quote, the others say how much hangs on how it is estimated.

    `difference` is the target's `dr` minus the logged policy's, paired row by row. `switch_dr` is there for
    sensitivity only.
    """

    dr: Estimate
    snips: Estimate
    ips: Estimate
    switch_dr: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a log says of a target policy. Without enough overlap it says nothing: both figures are None.

    `cost_usd` is per request, over the `costed` rows whose cost is known, and None where those do not overlap enough.
    """

    overlap: Overlap
    costed: int
    quality: Estimates | None = None
    cost_usd: Estimates | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """What the logged policy itself achieved on the same rows: plain means (None with fewer than two rows)."""

    rows: int
    quality: Estimate | None
    cost_usd: Estimate | None


def value(rows: Sequence[LoggedRow], target: Sequence[Probabilities]) -> Valuation:
    """What the target policy, which would have drawn with `target[i]` in row i, achieves.

    Cost linear in rows times models.
    """
    sample = Weighted(rows, target)
    found = overlap(sample)
    costed = [i for i, row in enumerate(rows) if row.cost_usd is not None]
    if not found.enough:
        return Valuation(found, len(costed))
    quality = _estimates(sample, [row.quality for row in rows], QUALITY_BOUNDS)
    some = sample if len(costed) == len(rows) else Weighted([rows[i] for i in costed], [target[i] for i in costed])
    if some is not sample and not overlap(some).enough:
        return Valuation(found, len(costed), quality)
    return Valuation(found, len(costed), quality, _estimates(some, _costs(some.rows), None))


def logged_value(rows: Sequence[LoggedRow]) -> Logged:
    """What the logged policy itself achieved."""
    costed = [row for row in rows if row.cost_usd is not None]
    return Logged(
        len(rows),
        _mean(rows, [row.quality for row in rows], QUALITY_BOUNDS),
        _mean(costed, _costs(costed), None),
    )


def _estimates(sample: Weighted, rewards: Sequence[float], bounds: Bounds | None) -> Estimates:
    robust = DoublyRobust(sample, rewards, bounds=bounds)
    return Estimates(
        dr=robust.value(),
        snips=snips(sample, rewards, bounds=bounds),
        ips=ips(sample, rewards, bounds=bounds),
        switch_dr=robust.switched(),
        difference=robust.difference(),
    )


def _mean(rows: Sequence[LoggedRow], rewards: Sequence[float], bounds: Bounds | None) -> Estimate | None:
    """Of the logged policy's own rows all ratios are 1."""
    if len(rows) < 2:
        return None
    return snips(Weighted(rows, [row.logged for row in rows]), rewards, bounds=bounds)


def _costs(rows: Sequence[LoggedRow]) -> list[float]:
    return [row.cost_usd for row in rows if row.cost_usd is not None]
