"""The picture of quality against cost: everything at its place, readable without colours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiercel.apps.demo.picture import HEIGHT, Mark, picture
from tiercel.core.hull import Hull, Point

points = st.builds(Point, cost_usd=st.floats(1e-6, 1.0), quality=st.floats(0.0, 1.0))


def test_marks_the_hull_and_the_budget_stand_where_they_belong() -> None:
    cheap, dear, ours = Point(1e-4, 0.5), Point(1e-2, 0.9), Point(1e-3, 0.8)
    marks = [Mark(ours, "*", "ours"), Mark(cheap, "o", "cheap"), Mark(dear, "o", "dear")]
    lines = picture(marks, Hull.of([cheap, dear]), budget_usd=1e-3).plain.splitlines()
    drawn = lines[1 : HEIGHT + 1]
    row = {mark.name: next(i for i, line in enumerate(drawn) if mark.name in line) for mark in marks}
    assert row["dear"] < row["ours"] < row["cheap"]
    # the budget is a column of its own through the mark that spent it
    column = drawn[row["ours"]].index("*")
    assert [line[column] for i, line in enumerate(drawn) if i != row["ours"]].count(":") >= HEIGHT - 3
    # half the way by logarithm buys a tenth of what the whole buys: the hull is far below
    assert any("." in drawn[i][: column + 1] for i in range(row["ours"] + 1, HEIGHT))
    assert lines[-1].split() == ["$0.1", "$1", "$10"]


@given(st.lists(points, min_size=1, max_size=6))
def test_any_points_can_be_drawn(found: list[Point]) -> None:
    marks = [Mark(point, "o", f"model {i}") for i, point in enumerate(found)]
    lines = picture(marks, Hull.of(found), budget_usd=found[0].cost_usd).plain.splitlines()
    assert len(lines) == HEIGHT + 3
    assert max(map(len, lines)) <= 80
