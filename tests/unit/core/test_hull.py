from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.hull import Hull, Point, area

costs = st.floats(1e-6, 1.0, allow_subnormal=False)
points = st.lists(st.builds(Point, costs, st.floats(0.0, 1.0)), min_size=1, max_size=8)


def best_mix(choices: list[Point], cost_usd: float) -> float:
    """The best of every mix of two points that costs no more, tried one by one."""
    found = [p.quality for p in choices if p.cost_usd <= cost_usd]
    for a in choices:
        for b in choices:
            if a.cost_usd <= cost_usd < b.cost_usd:
                part = (cost_usd - a.cost_usd) / (b.cost_usd - a.cost_usd)
                found.append(a.quality + part * (b.quality - a.quality))
    return max(found)


@given(choices=points, part=st.floats(0.0, 1.0))
def test_it_is_the_best_of_all_mixes(choices: list[Point], part: float) -> None:
    hull = Hull.of(choices)
    low, high = min(p.cost_usd for p in choices), max(p.cost_usd for p in choices)
    cost_usd = min(max(low + part * (high - low), low), high)
    assert hull.quality_at(cost_usd) == pytest.approx(best_mix(choices, cost_usd), abs=1e-9)


@given(choices=points)
def test_its_vertices_are_points_that_get_dearer_better_and_less_worth_it(choices: list[Point]) -> None:
    vertices = Hull.of(choices).vertices
    assert set(vertices) <= set(choices)
    slopes = [(b.quality - a.quality) / (b.cost_usd - a.cost_usd) for a, b in itertools.pairwise(vertices)]
    assert all(slope > 0 for slope in slopes)
    assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(slopes))
    assert vertices[-1].quality == max(p.quality for p in choices)


@given(choices=points, quality=st.floats(0.0, 1.0))
def test_the_cost_of_a_quality_buys_that_quality(choices: list[Point], quality: float) -> None:
    hull = Hull.of(choices)
    cost_usd = hull.cost_at(quality)
    if cost_usd is None:
        assert quality > max(p.quality for p in choices)
    else:
        assert hull.quality_at(cost_usd) >= quality - 1e-9


def test_outside_its_costs() -> None:
    hull = Hull.of([Point(1.0, 0.5), Point(3.0, 0.9), Point(4.0, 0.8)])
    assert hull.vertices == (Point(1.0, 0.5), Point(3.0, 0.9))
    assert hull.quality_at(0.1) == 0.5
    assert hull.quality_at(9.0) == 0.9
    assert hull.cost_at(0.91) is None
    assert hull.cost_at(0.7) == pytest.approx(2.0)


def test_a_mean_over_costs() -> None:
    hull = Hull.of([Point(0.0, 0.0), Point(1.0, 1.0)])
    # a triangle and a square over twice the width
    assert hull.mean_quality(0.0, 2.0) == pytest.approx((0.5 + 1.0) / 2)


def test_an_area() -> None:
    assert area([(0.0, 1.0), (1.0, 2.0), (3.0, 0.0)]) == pytest.approx(1.5 + 2.0)
