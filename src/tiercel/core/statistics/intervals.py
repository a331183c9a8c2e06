"""Intervals for rates."""

from __future__ import annotations

from math import sqrt


def wilson_upper(successes: int, trials: int, z: float) -> float:
    """Upper bound of the Wilson score interval (Wilson 1927) for a success rate; 1.0 without a trial."""
    if trials == 0:
        return 1.0
    rate, z2 = successes / trials, z * z
    centre = rate + z2 / (2 * trials)
    spread = z * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return min(1.0, (centre + spread) / (1 + z2 / trials))
