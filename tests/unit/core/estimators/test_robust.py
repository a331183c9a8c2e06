from __future__ import annotations

import random
from statistics import pvariance

import pytest

from support.logged import by_task, outcomes, row
from tiercel.core.estimators.coverage import draw_log, truths
from tiercel.core.estimators.intervals import Terms, estimate, residual_moments
from tiercel.core.estimators.reward_model import SHRINK, cross_fitted
from tiercel.core.estimators.robust import SWITCH_AT, DoublyRobust
from tiercel.core.estimators.rows import Weighted
from tiercel.core.estimators.valuation import value
from tiercel.core.estimators.weighting import ips, snips

EVEN, SKEWED, SECOND = (0.5, 0.5), (0.8, 0.2), (0.0, 1.0)
ROWS = [row(EVEN, 0, 1.0), row(EVEN, 1, 0.5), row(SKEWED, 1, 0.0), row(SKEWED, 0, 0.6)]
QUALITIES = [one.quality for one in ROWS]


def test_what_is_said_of_a_row_was_learned_from_the_other_fold() -> None:
    assert cross_fitted(ROWS, QUALITIES) == [(0.6, 0.5), (1.0, 0.0), (0.6, 0.5), (1.0, 0.0)]


def test_a_cell_is_shrunk_to_its_model_and_an_untried_model_to_all() -> None:
    told = [row(EVEN, 0, 1.0, task="a"), row(EVEN, 0, 0.0, task="b"), row(EVEN, 0, 0.0, task="b")]
    rows = [one for pair in zip(told, [row(EVEN, 0, 0.5, task="a")] * 3, strict=True) for one in pair]
    rewards = [one.quality for one in rows]
    of_a, _ = cross_fitted(rows, rewards)[1], None
    assert of_a == pytest.approx(((1.0 + SHRINK / 3) / (1 + SHRINK), (SHRINK / 3) / SHRINK))


def test_dr_by_hand() -> None:
    """0.5 + 0, 0 + 2 (0.5 - 0), 0.5 + 5 (0 - 0.5), 0 + 0; the logged policy's own is 0.6075."""
    robust = DoublyRobust(Weighted(ROWS, [SECOND] * 4), QUALITIES)
    assert robust.value().value == pytest.approx((0.5 + 1.0 - 2.0 + 0.0) / 4)
    assert robust.difference().value == pytest.approx((0.5 + 1.0 - 2.0 + 0.0) / 4 - 0.6075)
    assert robust.switched().value == robust.value().value


def test_switch_dr_leaves_out_the_residuals_of_heavy_rows() -> None:
    seldom = (1 - 0.5 / SWITCH_AT, 0.5 / SWITCH_AT)
    rows = [*ROWS, row(seldom, 1, 0.0)]
    rewards = [one.quality for one in rows]
    robust = DoublyRobust(Weighted(rows, [SECOND] * 5), rewards)
    modelled = cross_fitted(rows, rewards)[4][1]
    apart = 2 * SWITCH_AT * (0.0 - modelled) / 5
    assert robust.value().value == pytest.approx(robust.switched().value + apart)


def test_the_same_policy_differs_by_nothing() -> None:
    rows = [one for one in ROWS for _ in range(50)]
    valuation = value(rows, [one.logged for one in rows])
    assert valuation.quality is not None
    assert valuation.quality.difference.value == 0.0
    assert (valuation.quality.difference.low, valuation.quality.difference.high) == (0.0, 0.0)


def test_dr_is_calmer_than_ips_where_models_differ_by_task() -> None:
    table = outcomes([(0.95, 0.2, 0.5), (0.2, 0.95, 0.5)], seed=1)
    logged, target = by_task(2, probes=0.6), by_task(0, 1)
    chance = random.Random(5)
    robust, weighted = [], []
    for _ in range(60):
        drawn = draw_log(table, logged, target, rows=300, chance=chance)
        sample, rewards = Weighted(*drawn), [one.quality for one in drawn[0]]
        robust.append(DoublyRobust(sample, rewards).value().value)
        weighted.append(ips(sample, rewards).value)
    truth = truths(table, logged, target)["quality dr"]
    assert sum(robust) / 60 == pytest.approx(truth, abs=0.01)
    assert pvariance(robust) < 0.3 * pvariance(weighted)


def test_a_model_that_never_failed_may_still_fail() -> None:
    """Without the further observation at each bound the interval would have no width."""
    rows = [row(EVEN, i % 2, 1.0) for i in range(400)]
    sample, rewards = Weighted(rows, [SECOND] * 400), [1.0] * 400
    assert snips(sample, rewards).low == 1.0
    certain = snips(sample, rewards, bounds=(0.0, 1.0))
    assert 0.95 < certain.low < 0.995


def test_the_variance_is_that_of_the_draws_and_not_only_of_what_was_drawn() -> None:
    """Of the target's model 1 row in 400 was drawn where 4 were to be expected, and by luck without a residual."""
    seldom = (0.99, 0.01)
    rows = [row(seldom, int(i == 0), 0.5 if i == 0 else float(i % 2)) for i in range(400)]
    residuals = [one.quality - 0.5 for one in rows]
    ones = [1.0] * 400
    coefficients, offsets = [(0.0, 100.0)] * 400, [(0.0, 0.0)] * 400
    moments = residual_moments(rows, residuals, mean=0.5, bounds=(0.0, 1.0))
    found = estimate(0.5, rows, Terms(ones, residuals, coefficients, offsets), moments)
    # sqrt(0.01 x 100^2 x 0.25 / 400 / 2): the one row's own mean square is averaged with the further observation's
    assert found.standard_error == pytest.approx((100 * 0.125 / 400) ** 0.5)


def test_the_interval_leans_to_where_the_residuals_lean() -> None:
    """One answer in 40 fails: it may have been fewer by luck, and so the truth is rather lower than higher."""
    rows = [row(EVEN, i % 2, float(i % 40 > 0)) for i in range(400)]
    sample = Weighted(rows, [one.logged for one in rows])
    found = snips(sample, [one.quality for one in rows], bounds=(0.0, 1.0))
    assert found.value - found.low > 1.2 * (found.high - found.value)


def test_costs_are_estimated_where_they_are_known() -> None:
    rows = [row(EVEN, i % 2, 0.5, cost_usd=None if i % 4 == 0 else 1.0 + i % 2) for i in range(800)]
    valuation = value(rows, [EVEN] * 800)
    assert valuation.costed == 600
    assert valuation.cost_usd is not None
    assert valuation.cost_usd.dr.value == pytest.approx(1.5)
    assert valuation.cost_usd.snips.value == pytest.approx((200 * 1 + 400 * 2) / 600)
    assert value([row(EVEN, 0, 0.5)] * 200, [EVEN] * 200).cost_usd is None
