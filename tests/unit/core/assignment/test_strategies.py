import pytest

from tiercel.core.assignment.strategies import (
    Capacity,
    balanced,
    capacities,
    greedy,
    load_aware,
    load_penalties,
    loads,
    optimal,
    penalised,
)
from tiercel.domain.errors import InvalidInput
from tiercel.domain.matching import Penalty

TWO = ("a", "b")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([[], []], [None, None]),
        ([[1.0, 2.0], [3.0, 2.0]], [1, 0]),
        ([[2.0, 2.0], [0.0, 2.0]], [0, 1]),  # a tie goes left
        ([[0.0, 0.0], [0.0, 1.0]], [None, 1]),  # 0 is never chosen
    ],
)
def test_rules_that_all_strategies_share(scores: list[list[float]], expected: list[int | None]) -> None:
    width = len(scores[0]) if scores else 0
    unlimited: list[int | None] = [None] * width
    assert greedy(scores) == expected
    assert balanced(scores) == expected
    assert optimal(scores, unlimited) == expected
    assert load_aware(scores, unlimited, [0] * width, 0.8)[0] == expected


def test_balanced_takes_five_points_off_per_use() -> None:
    assert balanced([[90.0, 86.0]] * 4) == [0, 1, 0, 1]
    assert balanced([[90.0, 85.0]] * 3) == [0, 0, 1]  # 85 against 85 is a tie, and it goes left


def test_balance_leaves_no_agent_without() -> None:
    assert balanced([[20.0, 0.0]] * 10) == [0] * 10


@pytest.mark.parametrize(
    ("scores", "capacity", "expected"),
    [
        ([[9.0, 8.0], [9.0, 1.0]], [1, 1], [1, 0]),  # greedy would take 9 + 1
        ([[9.0, 8.0], [9.0, 1.0]], [2, 1], [0, 0]),
        ([[9.0, 8.0], [9.0, 1.0]], [None, None], [0, 0]),
        ([[9.0, 8.0], [9.0, 1.0]], [0, 1], [1, None]),
        ([[9.0, 8.0], [9.0, 1.0]], [0, 0], [None, None]),
        ([[5.0], [7.0], [6.0]], [1], [None, 0, None]),  # the surplus goes without
        ([[5.0], [7.0], [6.0]], [2], [None, 0, 0]),
        ([[0.0, 5.0], [0.0, 4.0]], [1, 1], [1, None]),  # rather none than a score of 0
        ([[5.0, 5.0, 5.0]] * 2, [1, 1, 1], [0, 1]),
        ([[5.0, 5.0]] * 3, [2, 2], [0, 0, 1]),
        # the solver alone gives the second agent column 1, though it does as well in column 0
        ([[10.0, 20.0, 30.0], [20.0, 20.0, 30.0]], [1, 1, 1], [2, 0]),
    ],
)
def test_optimal(scores: list[list[float]], capacity: list[int | None], expected: list[int | None]) -> None:
    assert optimal(scores, capacity) == expected


def test_load_costs_up_to_30_percent_and_a_fifth_more_above_the_target() -> None:
    assert penalised(90.0, load_penalties(0.6, 0.8)) == 73.8
    assert load_penalties(0.0, 0.8) == ()
    assert [p.kind for p in load_penalties(0.8, 0.8)] == ["load"]
    assert [p.kind for p in load_penalties(0.81, 0.8)] == ["load", "over_target"]
    assert penalised(100.0, load_penalties(0.9, 0.8)) == 58.4  # 100 x 0.73 x 0.8
    assert penalised(100.0, load_penalties(1.0, 1.0)) == 70.0


def test_load_aware_spreads_and_leaves_full_models_out() -> None:
    scores = [[90.0, 80.0]] * 5
    chosen, burdens = load_aware(scores, [2, 2], [0, 0], 0.8)
    assert chosen == [0, 1, 0, 1, None]
    assert burdens == [(), (), (Penalty("load", 0.85),), (Penalty("load", 0.85),), ()]
    assert load_aware(scores, [2, 2], [2, 1], 0.8)[0] == [1, None, None, None, None]
    assert load_aware(scores, [0, None], [0, 7], 0.8) == ([1] * 5, [()] * 5)


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [(1, [1, 1]), (None, [None, None]), (0, [0, 0]), ({"b": 3}, [1, 3]), ({"a": None}, [None, 1]), ({}, [1, 1])],
)
def test_capacities(capacity: Capacity, expected: list[int | None]) -> None:
    assert capacities(capacity, TWO) == expected


@pytest.mark.parametrize(
    ("capacity", "paths"),
    [
        (-1, ["capacity.a", "capacity.b"]),
        (True, ["capacity.a", "capacity.b"]),
        (1.5, ["capacity.a", "capacity.b"]),
        ("2", ["capacity.a", "capacity.b"]),
        ({"c": 1, "a": -1}, ["capacity.c", "capacity.a"]),
        ({"c": None}, ["capacity.c"]),
    ],
)
def test_bad_capacities(capacity: Capacity, paths: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        capacities(capacity, TWO)
    assert [problem.path for problem in caught.value.problems] == paths


def test_loads() -> None:
    assert loads({"b": 2}, TWO) == [0, 2]
    with pytest.raises(InvalidInput, match=r"load\.c: is not one of the models"):
        loads({"c": 2}, TWO)
