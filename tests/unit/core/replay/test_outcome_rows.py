from __future__ import annotations

from dataclasses import replace

import pytest

from support.outcomes import outcomes, rows_of
from tiercel.core.replay.catalogue import fitted_price, profiles, tier_of
from tiercel.core.replay.table import OutcomeRow, Recorded, table_of
from tiercel.domain.errors import InvalidInput

TWO = [("a", [(0.5, 0.2), (1.0, 0.1)]), ("b", [(0.7, 0.4), (0.0, 0.1)])]


def test_models_stand_by_their_mean_cost_whatever_the_order_of_the_rows() -> None:
    table = table_of(reversed(rows_of(TWO)))
    assert table.models == ("m1", "m0")
    assert [model.cost_usd for model in table.figures()] == pytest.approx([0.1, 0.3])
    assert [model.quality for model in table.figures()] == pytest.approx([0.5, 0.6])
    assert {query.id: [r.quality for r in query.recorded] for query in table.queries} == {
        "q0": [1.0, 0.5],
        "q1": [0.0, 0.7],
    }


def test_a_query_without_one_of_the_models_is_left_out_and_counted() -> None:
    rows = rows_of([*TWO, ("a", [(0.1, 0.1)])])
    assert table_of(rows).incomplete == 1
    assert len(table_of(rows).queries) == 2
    assert table_of(rows, models=["m0"]).incomplete == 0
    assert len(table_of(rows, models=["m0"]).queries) == 3


def test_a_query_without_a_cost_is_left_out_where_others_have_one() -> None:
    rows = rows_of(TWO)
    rows[0] = replace(rows[0], recorded=Recorded(0.5, None))
    table = table_of(rows)
    assert (len(table.queries), table.incomplete, table.has_costs) == (1, 1, True)


def test_without_any_cost_none_is_missed() -> None:
    rows = [replace(row, recorded=Recorded(row.recorded.quality)) for row in rows_of(TWO)]
    table = table_of(rows)
    assert (len(table.queries), table.incomplete, table.has_costs) == (2, 0, False)


def test_splits_are_kept_apart() -> None:
    rows = rows_of(TWO, split="x") + rows_of(TWO[:1], split="y")
    assert len(table_of(rows, split="y").queries) == 1
    assert len(table_of(rows).queries) == 3


@pytest.mark.parametrize(
    ("rows", "split", "models", "message"),
    [
        (rows_of(TWO) * 2, "", [], "m0 has a row for query 'q0' already: row 0/0"),
        (rows_of(TWO, split="x"), "y", [], r"split: must be one of x \(found 'y'\)"),
        (rows_of(TWO), "y", [], "no row has a split"),
        (rows_of(TWO), "", ["m0", "m9"], r"models: must be among m0, m1 \(found 'm9'\)"),
        (rows_of(TWO), "", ["m0", "m0"], "must be different models"),
        ([*rows_of([("a", [(1.0, 1.0)])]), OutcomeRow("q9", "m9", Recorded(1.0))], "", [], "no query has a row of ev"),
        ([], "", [], "the table has no rows"),
    ],
)
def test_what_cannot_be_a_table(rows: list[OutcomeRow], split: str, models: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        table_of(rows, split=split, models=models)


def test_a_model_may_be_named_by_the_end_of_its_id() -> None:
    rows = [replace(row, model=f"lab/{row.model}") for row in rows_of(TWO)]
    assert table_of(rows, models=["m1"]).models == ("lab/m1",)
    twice = rows + [replace(row, model=f"other/{row.model}") for row in rows_of(TWO)]
    with pytest.raises(InvalidInput, match="must be among lab/m0"):
        table_of(twice, models=["m1"])


@pytest.mark.parametrize(
    ("models", "tiers"),
    [
        (1, ["capable"]),
        (2, ["cheap", "premium"]),
        (3, ["cheap", "capable", "premium"]),
        (4, ["cheap", "cheap", "capable", "premium"]),
        (5, ["cheap", "cheap", "capable", "capable", "premium"]),
    ],
)
def test_tiers_follow_the_order_of_costs(models: int, tiers: list[str]) -> None:
    assert [tier_of(rank, models) for rank in range(models)] == tiers


def test_a_catalogue_tells_nothing_of_quality() -> None:
    good_is_cheap = profiles(outcomes([("a", [(1.0, 0.1), (0.0, 0.2)])]))
    good_is_dear = profiles(outcomes([("a", [(0.0, 0.1), (1.0, 0.2)])]))
    assert good_is_cheap == good_is_dear
    assert len({tuple(model.capabilities.items()) for model in good_is_cheap}) == 1


def test_a_price_is_found_where_tokens_explain_the_cost() -> None:
    calls = [(100, 20), (50, 200), (400, 10)]
    recorded = [Recorded(1.0, (2.0 * p + 8.0 * c) / 1e6, None, p, c) for p, c in calls]
    price = fitted_price(recorded)
    assert price is not None
    assert (price.input, price.output) == pytest.approx((2.0, 8.0))
    assert fitted_price([*recorded, Recorded(1.0, 0.5, None, 10, 10)]) is None
    assert fitted_price([Recorded(1.0, 0.1, None, None, 5)]) is None
    assert fitted_price([Recorded(1.0, 0.1, None, 5, 5)]) is None
