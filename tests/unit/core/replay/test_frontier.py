from __future__ import annotations

from dataclasses import replace

import pytest

from support.outcomes import outcomes, rows_of
from tiercel.core.hull import Point
from tiercel.core.replay.frontier import budgets, curve_figures, hull_figures
from tiercel.core.replay.table import Recorded, table_of
from tiercel.domain.errors import InvalidInput

# weak .4 at 1, strong .8 at 11
PAIR = outcomes([("a", [(0.4, 1.0), (0.8, 11.0)])])
THREE = outcomes([("a", [(0.2, 1.0), (0.5, 10.0), (1.0, 100.0)])])


def test_budgets_are_even_by_logarithm_from_the_cheapest_to_the_dearest() -> None:
    assert budgets(THREE, 3) == pytest.approx((1.0, 10.0, 100.0))
    assert budgets(THREE, 1) == pytest.approx((10.0,))


def test_for_two_models_they_are_even_by_the_share_of_strong_calls() -> None:
    assert budgets(PAIR, 4) == pytest.approx((3.0, 5.0, 7.0, 9.0))


def test_what_has_no_budgets() -> None:
    rows = [replace(row, recorded=Recorded(0.5)) for row in rows_of([("a", [(1.0, 1.0)])])]
    with pytest.raises(InvalidInput, match="needs costs"):
        budgets(table_of(rows), 3)
    with pytest.raises(InvalidInput, match="costs nothing"):
        budgets(outcomes([("a", [(0.2, 0.0), (0.5, 1.0), (1.0, 2.0)])]), 3)
    with pytest.raises(InvalidInput, match="at least 1"):
        budgets(THREE, 0)


def test_fixed_mixes_recover_the_gap_in_proportion() -> None:
    figures = hull_figures(PAIR)
    assert (figures.cpt50, figures.cpt80, figures.apgr) == pytest.approx((50.0, 80.0, 0.5))
    assert figures.cost_at_95 == pytest.approx((1 + 10 * 0.9) / 11)
    assert figures.aiq == pytest.approx(0.6)


def test_a_curve_by_hand() -> None:
    # recovered: .5 at a quarter of the calls, .75 at half, 1 at all
    points = [Point(3.5, 0.6), Point(6.0, 0.7)]
    figures = curve_figures(PAIR, points, [0.25, 0.5])
    assert figures.cpt50 == pytest.approx(25.0)
    assert figures.cpt80 == pytest.approx(50 + 50 * 0.05 / 0.25)
    assert figures.apgr == pytest.approx(0.25 * 0.25 + 0.25 * 0.625 + 0.5 * 0.875)
    # 95 % of .8 is not reached, and after 6 USD the curve is flat
    assert figures.cost_at_95 is None
    assert figures.aiq == pytest.approx((2.5 * 0.5 + 2.5 * 0.65 + 5 * 0.7) / 10)


def test_a_curve_that_dips_counts_from_where_it_first_reaches() -> None:
    points = [Point(3.0, 0.7), Point(5.0, 0.5), Point(7.0, 0.7)]
    figures = curve_figures(PAIR, points, [0.2, 0.4, 0.6])
    assert figures.cpt50 == pytest.approx(20 * 0.5 / 0.75)


def test_points_of_one_share_count_as_their_mean() -> None:
    points = [Point(3.5, 0.5), Point(3.5, 0.7)]
    assert curve_figures(PAIR, points, [0.25, 0.25]).cpt50 == pytest.approx(25.0)


def test_a_point_worse_than_the_mix_of_others_does_not_count() -> None:
    good = [Point(10.0, 0.9), Point(100.0, 1.0)]
    assert curve_figures(THREE, good) == curve_figures(THREE, [*good, Point(50.0, 0.3)])
    figures = curve_figures(THREE, good)
    assert figures.cost_at_95 == pytest.approx(0.55)
    assert (figures.cpt50, figures.cpt80, figures.apgr) == (None, None, None)


def test_where_the_cheap_model_is_the_better_there_is_no_gap_to_recover() -> None:
    figures = hull_figures(outcomes([("a", [(0.8, 1.0), (0.4, 2.0)])]))
    assert (figures.cpt50, figures.apgr, figures.cost_at_95) == (None, None, 1.0)
