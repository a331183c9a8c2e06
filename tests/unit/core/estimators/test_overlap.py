from __future__ import annotations

import random

import pytest

from support.logged import row
from tiercel.core.estimators.overlap import FEWEST_EFFECTIVE, Advice, Overlap, overlap
from tiercel.core.estimators.rows import LoggedRow, Probabilities, Weighted
from tiercel.core.estimators.valuation import logged_value, value

FIRST: Probabilities = (1.0, 0.0, 0.0)
LAST: Probabilities = (0.0, 0.0, 1.0)
EVEN: Probabilities = (1 / 3, 1 / 3, 1 / 3)


def floored(share: float) -> Probabilities:
    return (1 - share + share / 3, share / 3, share / 3)


def log(logged: Probabilities, rows: int, *, seed: int = 0, claimed: Probabilities | None = None) -> list[LoggedRow]:
    chance = random.Random(seed)
    return [
        row(claimed or logged, chance.choices(range(3), logged)[0], float(chance.random() < 0.8)) for _ in range(rows)
    ]


def gate(rows: list[LoggedRow], target: Probabilities) -> Overlap:
    return overlap(Weighted(rows, [target] * len(rows)))


def test_a_log_of_even_chances_answers_for_anyone() -> None:
    found = gate(log(EVEN, 600), LAST)
    assert found.enough
    assert found.advice is None
    assert found.effective_rows == pytest.approx(200, rel=0.2)
    assert found.mean_weight == pytest.approx(1, abs=0.15)


def test_a_model_that_was_never_to_be_chosen_has_no_support() -> None:
    rows = log((0.5, 0.5, 0.0), 1_000)
    found = gate(rows, (0.5, 0.4, 0.1))
    assert found.unsupported == pytest.approx(0.1)
    assert found.unsupported_models == ("large",)
    assert "never chooses large" in found.reasons[0]
    assert found.advice is not None
    assert value(rows, [(0.5, 0.4, 0.1)] * 1_000).quality is None


def test_a_model_that_was_hardly_ever_chosen_has_too_little() -> None:
    found = gate(log(floored(0.03), 1_000), LAST)
    assert found.effective_rows < FEWEST_EFFECTIVE
    assert not found.enough
    assert found.advice is not None


def test_one_row_is_not_to_carry_the_answer() -> None:
    """Nearly all requests are decided alike, and for one the target does what the log hardly ever did."""
    rows = [*log(EVEN, 400), row((0.998, 0.001, 0.001), 2, 0.0)]
    found = overlap(Weighted(rows, [EVEN] * 400 + [LAST]))
    assert found.largest_share == pytest.approx(1000 / 1400)
    assert any("one row carries" in reason for reason in found.reasons)


def test_probabilities_that_are_not_those_of_the_draws_show() -> None:
    """More of the log would not help, so none is advised."""
    rows = log((0.2, 0.2, 0.6), 2_000, claimed=EVEN)
    found = gate(rows, LAST)
    assert [reason.partition(" is ")[0] for reason in found.reasons] == ["the mean weight"]
    assert found.advice is None


def test_without_any_row_nothing_is_said() -> None:
    found = overlap(Weighted([], []))
    assert found.reasons
    assert logged_value([]).quality is None
    assert value([], []).quality is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.03, 0.1, 0.2])
@pytest.mark.parametrize("rows", [60, 300, 900])
def test_what_is_advised_is_about_enough_and_not_much_more(share: float, rows: int) -> None:
    there = log(floored(share), rows, seed=rows)
    found = gate(there, LAST)
    if found.enough:
        return
    advised = found.advice
    assert advised is not None
    further = tuple((1 - advised.floor) * p + advised.floor / 3 for p in floored(share))
    before = there if share else []
    opened = [gate([*before, *log(further, advised.judged_requests, seed=seed)], LAST).enough for seed in range(1, 21)]
    half = [
        gate([*before, *log(further, advised.judged_requests // 3, seed=seed)], LAST).enough for seed in range(1, 21)
    ]
    assert sum(opened) >= 15
    assert sum(half) <= 10


def test_a_higher_floor_is_advised_where_it_spares_waiting() -> None:
    """Half of the target's choices are the log's own; with 100 rows the wait at a low floor is too long."""
    target = (0.5, 0.25, 0.25)
    few, more = gate(log(floored(0.02), 100), target).advice, gate(log(floored(0.02), 800), target).advice
    assert few is not None
    assert more is not None
    assert more.floor < few.floor


def test_advice_in_words() -> None:
    assert str(Advice(1_200, 0.2)) == "about 1,200 more judged requests at floor 0.2"
