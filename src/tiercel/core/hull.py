"""Upper hulls of cost and quality: what is worth its money.

Of one request's models those worth choosing; of fixed models in hindsight, the best mean quality that drawing between
them can buy at a mean cost.

A static mix sends each request to one of two models by the throw of a coin, whatever the request. Which mixes are worth
it is known only in hindsight. A router that reads requests has to lie above this curve to be worth its trouble.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Corners = tuple[tuple[float, float], ...]
"""(cost in USD, quality), cheapest first, each dearer and better than the last."""


def upper_hull(points: Iterable[tuple[float, float]]) -> Corners:
    """The upper hull of (cost, quality), from the cheapest to the best."""
    found: list[tuple[float, float]] = []
    for cost, quality in sorted(points):
        if found:
            if quality <= found[-1][1]:
                continue
            if cost == found[-1][0]:
                found.pop()
        while len(found) > 1:
            (c0, q0), (c1, q1) = found[-2], found[-1]
            if (q1 - q0) * (cost - c1) > (quality - q1) * (c1 - c0):
                break
            found.pop()
        found.append((cost, quality))
    return tuple(found)


class Point(NamedTuple):
    """A mean cost per request in USD, and the mean quality (0..1) it bought."""

    cost_usd: float
    quality: float


@dataclass(frozen=True, slots=True)
class Hull:
    """The upper concave, non-decreasing hull of some points: its vertices, cheapest first, each better than the last.

    The first is the cheapest point (of several the best), the last the best (of several the cheapest).
    """

    vertices: tuple[Point, ...]

    @classmethod
    def of(cls, points: Iterable[Point]) -> Hull:
        """The hull of at least one point."""
        return cls(tuple(Point(*vertex) for vertex in upper_hull(points)))

    def quality_at(self, cost_usd: float) -> float:
        """The best quality for `cost_usd`. For less than the cheapest point costs it is the cheapest point's."""
        costs = [vertex.cost_usd for vertex in self.vertices]
        after = bisect_right(costs, cost_usd)
        if after == 0:
            return self.vertices[0].quality
        if after == len(costs):
            return self.vertices[-1].quality
        left, right = self.vertices[after - 1], self.vertices[after]
        return left.quality + (right.quality - left.quality) * _part(cost_usd, left.cost_usd, right.cost_usd)

    def cost_at(self, quality: float) -> float | None:
        """The least cost that buys `quality`; None where nothing does."""
        if quality <= self.vertices[0].quality:
            return self.vertices[0].cost_usd
        for left, right in pairwise(self.vertices):
            if quality <= right.quality:
                return left.cost_usd + (right.cost_usd - left.cost_usd) * _part(quality, left.quality, right.quality)
        return None

    def mean_quality(self, from_usd: float, to_usd: float) -> float:
        """The mean of `quality_at` over the costs between two, which may not be equal."""
        inside = (vertex.cost_usd for vertex in self.vertices if from_usd < vertex.cost_usd < to_usd)
        corners = [Point(cost, self.quality_at(cost)) for cost in (from_usd, *inside, to_usd)]
        return area(corners) / (to_usd - from_usd)


def area(points: Sequence[tuple[float, float]]) -> float:
    """The area under the line through points given from left to right."""
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))


def _part(value: float, left: float, right: float) -> float:
    return (value - left) / (right - left)
