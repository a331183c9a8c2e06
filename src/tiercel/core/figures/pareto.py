"""Which of several choices nothing beats in both cost and quality."""

from __future__ import annotations

from collections.abc import Mapping

from tiercel.core.hull import Point


def front(points: Mapping[str, Point]) -> frozenset[str]:
    """Those that no other is both at most as dear and at least as good as, and better than in one of the two."""
    return frozenset(
        name
        for name, point in points.items()
        if not any(
            other != point and other.cost_usd <= point.cost_usd and other.quality >= point.quality
            for other in points.values()
        )
    )
