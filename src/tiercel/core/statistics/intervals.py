"""Intervals: for rates, and for the mean of a few independent figures. Pure functions; nothing here is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import atan, cos, pi, sin, sqrt
from statistics import fmean, stdev

_LEVEL = 0.95


def wilson(successes: int, trials: int, z: float) -> tuple[float, float]:
    """The score interval (Wilson 1927) for a success rate, `z` standard deviations to each side; all without trials."""
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, z * z
    centre = rate + z2 / (2 * trials)
    spread = z * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    low, high = ((centre + side) / (1 + z2 / trials) for side in (-spread, spread))
    # rounding must not leave the rate itself out
    return max(0.0, min(rate, low)), min(1.0, max(rate, high))


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval for the mean that `values` were drawn around; None for fewer than two."""
    if len(values) < 2:
        return None
    mean = fmean(values)
    half = t_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    return mean - half, mean + half


@cache
def t_quantile(degrees: int) -> float:
    """How many standard errors a two-sided 95 % interval reaches with so many degrees of freedom."""
    low, high = 0.0, 1.0
    while _within(high, degrees) < _LEVEL:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if _within(middle, degrees) < _LEVEL:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _within(t: float, degrees: int) -> float:
    """The probability that |T| < t, by the finite series for whole degrees (Abramowitz and Stegun, 26.7.3 and 4)."""
    angle = atan(t / sqrt(degrees))
    cos2 = cos(angle) ** 2
    odd = degrees % 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for k in range(odd, degrees - 1, 2):
        total += term
        term *= cos2 * (k + 1) / (k + 2)
    series = sin(angle) * total
    return 2 / pi * (angle + series) if odd else series
