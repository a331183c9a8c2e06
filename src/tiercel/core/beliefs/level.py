"""What a figure usually is: mean and deviation of its newest thousand or two, to hold the next one against.

The next figure is judged by the mean and the deviation of those before it, and then counts among them: a self-starting
CUSUM (Hawkins, "Self-starting CUSUM charts for location and scale", The Statistician 36, 1987). Of normal figures the
results are independent standard normal ones from the first on, however few the mean was estimated from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

MEMORY = 2_000
"""At so many figures those so far count half: what is watched may change over weeks without having drifted."""
_Z = 1.96


class Span(NamedTuple):
    """A mean with its 95 % interval, of so many figures."""

    mean: float
    low: float
    high: float
    samples: int


class Level:
    """Sums of figures; adding one and judging one take a microsecond."""

    __slots__ = ("_count", "_origin", "_square", "_sum")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._count = 0.0
        self._origin = 0.0
        self._sum = 0.0
        self._square = 0.0
        for value in values:
            self.add(value)

    @classmethod
    def like(cls, span: Span) -> Level:
        """A level that has that span."""
        level, count = cls(), float(span.samples)
        deviation = (span.high - span.low) / (2 * _Z) * math.sqrt(count)
        level._count, level._origin, level._square = count, span.mean, deviation * deviation * max(0.0, count - 1.0)
        return level

    def add(self, value: float) -> None:
        """Count a figure."""
        if not self._count:
            self._origin = value
        off = value - self._origin
        self._count += 1.0
        self._sum += off
        self._square += off * off
        if self._count >= MEMORY:
            self._count, self._sum, self._square = self._count / 2, self._sum / 2, self._square / 2

    def without(self, values: Iterable[float]) -> Level:
        """The same before the last figures, `values`, were added."""
        before = Level()
        before._origin = self._origin
        offs = [value - self._origin for value in values]
        before._count = max(0.0, self._count - len(offs))
        before._sum = self._sum - sum(offs)
        before._square = self._square - sum([off * off for off in offs])
        return before

    def __len__(self) -> int:
        return int(self._count)

    @property
    def mean(self) -> float:
        """The mean; 0 of nothing."""
        return self._origin + self._sum / self._count if self._count else 0.0

    def deviation(self, floor: float = 0.0) -> float:
        """The standard deviation of single figures, at least `floor`; `floor` of fewer than two."""
        count = self._count
        if count < 2:
            return floor
        variance = (self._square - self._sum * self._sum / count) / (count - 1.0)
        return max(floor, math.sqrt(max(variance, 0.0)))

    def surprise(self, value: float, floor: float) -> float:
        """By how many standard deviations a new figure is above those before it; that of a normal one is N(0, 1).

        The t statistic is made normal by t (1 - 1 / (4 v)) / sqrt(1 + t^2 / (2 v)) (Abramowitz and Stegun, 26.7.8);
        there are at least four figures.
        """
        count = self._count
        t = (value - self.mean) / self.deviation(floor) * math.sqrt(count / (count + 1.0))
        freedom = count - 1.0
        return t * (1.0 - 0.25 / freedom) / math.sqrt(1.0 + 0.5 * t * t / freedom)

    def span(self) -> Span:
        """The mean and where it surely is."""
        error = _Z * self.deviation() / math.sqrt(self._count) if self._count else 0.0
        return Span(self.mean, self.mean - error, self.mean + error, len(self))


class Skew:
    """How much heavier one tail of surprises is than a normal one's, as CUSUMs of `drift` and `clip` feel it.

    A CUSUM's false alarms grow with the mean of exp(2 drift x): exp(2 drift^2) where x is standard normal, and up to
    half as much again where nearly all ratings are full marks and a few are wrecks. `factor` is what to divide by so
    that it is as with a normal one (Lundberg's inequality for random walks; the factor holds up to second order).
    """

    __slots__ = ("_count", "_down", "_normal", "_slope", "_up")

    def __init__(self, drift: float) -> None:
        self._slope = 2.0 * drift
        self._normal = 0.5 * self._slope * self._slope
        self._count = 10.0
        self._up = self._down = self._count * math.exp(self._normal)

    def add(self, surprise: float) -> None:
        """Take note of a surprise, already clipped."""
        self._count += 1.0
        self._up += math.exp(self._slope * surprise)
        self._down += math.exp(-self._slope * surprise)
        if self._count >= MEMORY:
            self._count, self._up, self._down = self._count / 2, self._up / 2, self._down / 2

    @property
    def factor(self) -> float:
        """At least 1."""
        worst = math.log(max(self._up, self._down) / self._count)
        return math.sqrt(worst / self._normal) if worst > self._normal else 1.0
