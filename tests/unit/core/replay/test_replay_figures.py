from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outcomes import Scripted, always, noisy, outcomes, rows_of
from tiercel.core.replay.baselines import baselines, expected, hull_of_table, mix_of
from tiercel.core.replay.books import Terms
from tiercel.core.replay.driver import replay
from tiercel.core.replay.figures import result_of, run_figures
from tiercel.core.replay.table import OutcomeTable, Recorded, table_of
from tiercel.core.replay.world import SCENARIOS

# cost 1, 2, 4 and quality .5, .75, .75: the hull is m0 - m1
HAND = outcomes(
    [
        ("a", [(1.0, 1.0), (1.0, 2.0), (0.0, 4.0)]),
        ("a", [(0.0, 1.0), (1.0, 2.0), (1.0, 4.0)]),
        ("b", [(1.0, 1.0), (0.0, 2.0), (1.0, 4.0)]),
        ("b", [(0.0, 1.0), (1.0, 2.0), (1.0, 4.0)]),
    ]
)

cells = st.tuples(st.floats(0.0, 1.0), st.floats(1e-6, 1e-2))
tables = st.integers(1, 4).flatmap(
    lambda models: st.lists(
        st.tuples(st.sampled_from("ab"), st.lists(cells, min_size=models, max_size=models)), min_size=1, max_size=12
    ).map(outcomes)
)


def test_by_hand() -> None:
    figures = run_figures(replay(HAND, always("m2")), budget_usd=3.0)
    assert (figures.whole.quality, figures.whole.cost_usd) == (0.75, 4.0)
    assert figures.whole.gain_over_hull == 0.0
    assert figures.regret == 1.0
    assert figures.share == (0.0, 0.0, 1.0)
    assert figures.overdraft_usd == 4.0
    assert figures.decide_us is None
    cheap = run_figures(replay(HAND, always("m0")), budget_usd=3.0)
    assert (cheap.whole.quality, cheap.overdraft_usd, cheap.regret) == (0.5, 0.0, 2.0)


def test_the_overdraft_is_the_worst_on_the_way_and_not_the_end() -> None:
    # 4, 4, 1, 1 against 2.5 each: 1.5 and 3 over, then less
    policy = Scripted(lambda number: "m2" if number < 2 else "m0")
    figures = run_figures(replay(HAND, policy), budget_usd=2.5)
    assert figures.whole.cost_usd == 2.5
    assert figures.overdraft_usd == 3.0


def test_the_deficit_is_the_worst_on_the_way() -> None:
    table = outcomes([("a", [(0.0, 1.0), (1.0, 2.0)])] * 4)
    policy = Scripted(lambda number: "m0" if number in {1, 2} else "m1")
    assert run_figures(replay(table, policy)).deficit == 2.0
    assert run_figures(replay(table, policy), incumbent=0).deficit == 0.0


def test_the_last_half_is_held_against_the_hull_of_its_own_requests() -> None:
    table = outcomes([("a", [(float(i % 2), 1.0), (1.0, 2.0)]) for i in range(8)])
    trace = replay(table, Scripted(lambda number: "m0" if number < 4 else "m1"))
    figures = run_figures(trace)
    assert (figures.last_half.quality, figures.last_half.cost_usd, figures.last_half.gain_over_hull) == (1.0, 2.0, 0.0)
    assert figures.whole.cost_usd == 1.5


def test_a_model_that_was_not_always_there_is_not_in_the_hull() -> None:
    table = noisy(100, [0.2, 1.0], [1.0, 1.0001])
    arrived = run_figures(replay(table, always("m0"), Terms(scenario=SCENARIOS["arrive"])))
    assert arrived.whole.gain_over_hull == 0.0


@given(table=tables, share=st.floats(0.0, 1.0), seed=st.integers(0, 5))
def test_nothing_is_better_than_the_oracle_and_no_fixed_model_above_the_hull(
    table: OutcomeTable, share: float, seed: int
) -> None:
    figures = run_figures(replay(table, always("m0", share=share), Terms(seed=seed)))
    held = baselines(table)
    assert figures.regret >= -1e-9
    assert all(held["oracle"].quality >= result.quality - 1e-12 for result in held.values())
    assert held["oracle"].quality >= figures.whole.quality - 1e-12
    assert held["oracle"].regret == pytest.approx(0.0, abs=1e-9)
    for name in ("cheapest", "best_single", "random"):
        gain = held[name].gain_over_hull
        assert gain is not None
        assert gain <= 1e-9
    assert held["best_per_task"].quality >= held["best_single"].quality - 1e-12


def test_the_baselines_by_hand() -> None:
    held = baselines(HAND, budget_usd=2.0)
    assert {name: result.quality for name, result in held.items()} == {
        "random": pytest.approx(2 / 3),
        "best_single": 0.75,
        "cheapest": 0.5,
        "best_per_task": 1.0,
        "oracle": 1.0,
    }
    assert held["best_single"].share == {"m0": 0.0, "m1": 1.0, "m2": 0.0}
    assert held["best_per_task"].share == {"m0": 0.0, "m1": 0.5, "m2": 0.5}
    # of several that are right the cheapest
    assert held["oracle"].cost_usd == pytest.approx((1 + 2 + 1 + 2) / 4)
    assert held["random"].cost_usd == pytest.approx(7 / 3)
    assert held["random"].spend_over_budget == pytest.approx(7 / 6)
    assert held["oracle"].gain_over_hull == pytest.approx(1.0 - 0.625)
    assert held["oracle"].quality_ci == (1.0, 1.0)


def test_the_oracle_takes_what_is_cheapest_for_the_query_and_not_in_the_mean() -> None:
    table = outcomes([("a", [(1.0, 3.0), (1.0, 2.0)]), ("a", [(0.0, 1.0), (1.0, 9.0)])])
    assert table.models == ("m0", "m1")
    assert baselines(table)["oracle"].share == {"m0": 0.0, "m1": 1.0}


@pytest.mark.parametrize(
    ("budget_usd", "target_quality", "weights"),
    [
        (None, None, (0.0, 1.0, 0.0)),
        (1.5, None, (0.5, 0.5, 0.0)),
        (0.5, None, (1.0, 0.0, 0.0)),
        (9.0, None, (0.0, 1.0, 0.0)),
        (None, 0.5625, (0.75, 0.25, 0.0)),
        (None, 0.9, (0.0, 1.0, 0.0)),
    ],
)
def test_the_mix_that_was_best_before(
    budget_usd: float | None, target_quality: float | None, weights: tuple[float, ...]
) -> None:
    assert mix_of(HAND.figures(), budget_usd=budget_usd, target_quality=target_quality) == pytest.approx(weights)
    prior = baselines(HAND, budget_usd=budget_usd, target_quality=target_quality, prior=HAND)["prior_static_mix"]
    assert prior.gain_over_hull == pytest.approx(0.0, abs=1e-12)


def test_over_repeats() -> None:
    table = noisy(50, [0.3, 0.8], [0.1, 0.3])
    runs = [run_figures(replay(table, always("m0", share=0.5), repeat=i), budget_usd=0.2) for i in range(5)]
    result = result_of(table.models, runs, budget_usd=0.2)
    qualities = [run.whole.quality for run in runs]
    assert result.quality == pytest.approx(sum(qualities) / 5)
    mean = sum(qualities) / 5
    half = 2.7764 * math.sqrt(sum((q - mean) ** 2 for q in qualities) / 4 / 5)
    assert result.quality_ci == pytest.approx((mean - half, mean + half), abs=1e-4)
    assert result.max_overdraft == max(run.overdraft_usd or 0.0 for run in runs)
    assert result.max_deficit == max(run.deficit for run in runs)
    assert result.cost_usd is not None
    assert result.spend_over_budget == pytest.approx(result.cost_usd / 0.2)
    assert sum(result.share.values()) == pytest.approx(1.0)
    assert result_of(table.models, runs[:1]).quality_ci is None
    assert result_of(table.models, runs).spend_over_budget is None


def test_a_table_without_costs_has_no_hull() -> None:
    rows = [replace(row, recorded=Recorded(row.recorded.quality, None, 7.0)) for row in rows_of([("a", [(1.0, 1.0)])])]
    table = table_of(rows)
    assert hull_of_table(table) is None
    result = result_of(table.models, [run_figures(replay(table, always("m0")), budget_usd=None)] * 2)
    assert (result.cost_usd, result.cost_ci, result.gain_over_hull, result.gain_ci) == (None, None, None, None)
    assert (result.latency_ms, expected(table, lambda _: (1.0,)).latency_ms) == (7.0, 7.0)
