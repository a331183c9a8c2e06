from __future__ import annotations

import pytest

from tiercel.core.figures.pareto import front
from tiercel.core.hull import Point


@pytest.mark.parametrize(
    ("points", "best"),
    [
        ({}, set()),
        ({"a": (1, 0.5)}, {"a"}),
        ({"a": (1, 0.5), "b": (2, 0.6), "c": (3, 0.55)}, {"a", "b"}),
        ({"a": (1, 0.5), "b": (1, 0.6)}, {"b"}),
        ({"a": (1, 0.5), "b": (2, 0.5)}, {"a"}),
        ({"twin": (1, 0.5), "other": (1, 0.5)}, {"twin", "other"}),
        # beaten by a mixture of the two others, but by neither of them
        ({"a": (1, 0.5), "b": (2, 0.51), "c": (3, 0.9)}, {"a", "b", "c"}),
    ],
)
def test_what_nothing_beats(points: dict[str, tuple[float, float]], best: set[str]) -> None:
    assert front({name: Point(*point) for name, point in points.items()}) == best
