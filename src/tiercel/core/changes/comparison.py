"""Is the new one worse? Bounds that hold at every moment, so that one may look after each rating and stop when sure.

For ratings x in 0..1 with mean m, any centre c in 0..1 that is fixed before them, and any rate l in 0..1,

    exp(l S - psi(l) V),   S = sum(x - m),   V = sum((x - c)^2),   psi(l) = -log(1 - l) - l

is a supermartingale that starts at 1: E exp(l (x - c) - psi(l) (x - c)^2) <= 1 + l (m - c) <= exp(l (m - c)) (Fan,
Grama, Liu, Electronic Journal of Probability 20, 2015, lemma 4.1; Howard, Ramdas, McAuliffe, Sekhon: "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49, 2021, theorem 4). So is a mixture over
rates, which reaches 1 / alpha with a probability of at most alpha, ever (Ville's inequality). What S it takes to reach
that bounds m. The bounds around a few centres hold together with a part of alpha each, so the nearest one may be taken.
Unlike the bets of Waudby-Smith and Ramdas (Journal of the Royal Statistical Society B 86, 2024, theorem 2), which it
otherwise resembles, it needs no order of the ratings: their number, sum and sum of squares are enough, and those add up
over time, over gateways and over what is taken back.
"""

from __future__ import annotations

import math
from operator import mul
from typing import NamedTuple

from tiercel.core.statistics.arms import arm_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import NANO, Sums
from tiercel.domain.changes import Change, Interval

_RATES = tuple(0.95 * 0.75**k for k in range(18))
"""From what a dozen ratings ask for to what a hundred thousand do."""
_CENTRES = (0.1, 0.3, 0.5, 0.7, 0.9)
_PSI = tuple(-math.log1p(-rate) - rate for rate in _RATES)
_LOG_WEIGHT = -math.log(len(_RATES))
_STEPS = 20
_PRECISION = 1e-9


class Ratings(NamedTuple):
    """How many there are, their sum, and the sum of their squares."""

    number: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        """None without any."""
        return self.total / self.number if self.number else None


class Comparison(NamedTuple):
    """The ratings of the old and of the new, and bounds on by how much the new one's mean is higher.

    Each bound is wrong, ever, with a probability of at most the change's `alpha`.
    """

    old: Ratings
    new: Ratings
    interval: Interval

    @property
    def difference(self) -> float | None:
        """By how much the new one was rated higher; None where one of them was not rated."""
        if self.old.mean is None or self.new.mean is None:
            return None
        return self.new.mean - self.old.mean


def compared(knowledge: Knowledge, change: Change) -> Comparison:
    """The two at the share the change has now. Ratings of decisions at other shares do not count.

    Within a share both are rated at the same times, so that what makes all answers better or worse favours neither.
    """
    old, new = (_ratings(knowledge.sums(arm_key(change.segment, change.revision, arm))) for arm in (0, 1))
    return Comparison(old, new, difference(old, new, alpha=change.alpha))


def difference(old: Ratings, new: Ratings, *, alpha: float) -> Interval:
    """Bounds on mean(new) - mean(old), each wrong with a probability of at most `alpha`, however often one looks."""
    old_bounds, new_bounds = (bounds(ratings, alpha=alpha / 2) for ratings in (old, new))
    return Interval(new_bounds.low - old_bounds.high, new_bounds.high - old_bounds.low)


def bounds(ratings: Ratings, *, alpha: float) -> Interval:
    """Bounds on the mean of ratings in 0..1, each wrong with a probability of at most `alpha`; about 30 us."""
    number, total, squares = ratings
    if not number:
        return Interval(0.0, 1.0)
    centre = min(_CENTRES, key=lambda one: abs(one * number - total))
    spread = max(0.0, squares - 2.0 * centre * total + number * centre * centre)
    reach = _reach(spread, math.log(len(_CENTRES) / alpha), float(number))
    return Interval(max(0.0, (total - reach) / number), min(1.0, (total + reach) / number))


def _reach(spread: float, log_level: float, most: float) -> float:
    """The sum of deviations at which the mixture reaches its level, from above; `most` if that is less.

    Newton's method: the logarithm of the mixture is convex and rises, so no step goes below what is looked for.
    """
    offsets = [psi * spread for psi in _PSI]
    needed = log_level - _LOG_WEIGHT
    deviation = min((needed + offset) / rate for rate, offset in zip(_RATES, offsets, strict=True))
    for _ in range(_STEPS):
        exponents = [rate * deviation - offset for rate, offset in zip(_RATES, offsets, strict=True)]
        highest = max(exponents)
        weights = [math.exp(exponent - highest) for exponent in exponents]
        total = sum(weights)
        slope = sum(map(mul, weights, _RATES)) / total
        step = (highest + math.log(total) - needed) / slope
        deviation -= step
        if step <= _PRECISION * deviation:
            break
    return min(deviation, most)


def _ratings(sums: Sums) -> Ratings:
    return Ratings(sums.ratings, sums.quality_nano / NANO, sums.quality_sq_nano / NANO)
