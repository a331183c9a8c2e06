from __future__ import annotations

import random
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.logged import row
from tiercel.core.estimators.robust import DoublyRobust
from tiercel.core.estimators.rows import LoggedRow, Probabilities, Weighted
from tiercel.core.estimators.weighting import ips, snips

EVEN, SKEWED, SECOND = (0.5, 0.5), (0.8, 0.2), (0.0, 1.0)
ROWS = [row(EVEN, 0, 1.0), row(EVEN, 1, 0.5), row(SKEWED, 1, 0.0), row(SKEWED, 0, 0.6)]
QUALITIES = [one.quality for one in ROWS]


def test_weights_by_hand() -> None:
    assert Weighted(ROWS, [SECOND] * 4).weights == [0.0, 2.0, 5.0, 0.0]


def test_ips_and_snips_by_hand() -> None:
    sample = Weighted(ROWS, [SECOND] * 4)
    assert ips(sample, QUALITIES).value == pytest.approx((2 * 0.5 + 5 * 0.0) / 4)
    assert snips(sample, QUALITIES).value == pytest.approx((2 * 0.5 + 5 * 0.0) / 7)


def test_a_row_that_was_judged_half_as_often_counts_twice() -> None:
    rates = (0.5, 0.5, 0.25, 0.25)
    rows = [row(one.logged, one.chosen, one.quality, judge_rate=rate) for one, rate in zip(ROWS, rates, strict=True)]
    sample = Weighted(rows, [SECOND] * 4)
    assert sample.shares == pytest.approx([2 / 3, 2 / 3, 4 / 3, 4 / 3])
    assert ips(sample, QUALITIES).value == pytest.approx(4 / 3 * 0.5 / 4)
    assert snips(sample, QUALITIES).value == pytest.approx((4 / 3 * 0.5) / (4 / 3 + 20 / 3))


def test_the_logged_policy_is_worth_what_it_got() -> None:
    sample = Weighted(ROWS, [one.logged for one in ROWS])
    mean = sum(QUALITIES) / 4
    assert ips(sample, QUALITIES).value == pytest.approx(mean)
    assert snips(sample, QUALITIES).value == pytest.approx(mean)


WORLD = [
    # task, logged, target, what each model's answer is worth
    ("a", (0.7, 0.3), (0.2, 0.8), (0.9, 0.1)),
    ("b", (0.1, 0.9), (1.0, 0.0), (0.4, 1.0)),
    ("a", (0.5, 0.5), (0.0, 1.0), (0.0, 0.8)),
    ("a", (0.25, 0.75), (0.6, 0.4), (1.0, 0.3)),
    ("b", (0.6, 0.4), (0.5, 0.5), (0.2, 0.7)),
]


@pytest.mark.parametrize("estimator", ["ips", "dr", "difference"])
def test_right_on_average_over_every_log_there_could_be(estimator: str) -> None:
    """All 32 draws of five decisions, each by its probability: the expectation is the truth to the last digits."""
    truth = sum(pi * r for _, _, target, worth in WORLD for pi, r in zip(target, worth, strict=True)) / len(WORLD)
    logged = sum(p * r for _, ps, _, worth in WORLD for p, r in zip(ps, worth, strict=True)) / len(WORLD)
    expectation = 0.0
    for draws in product((0, 1), repeat=len(WORLD)):
        rows = [row(p, a, worth[a], task=task) for (task, p, _, worth), a in zip(WORLD, draws, strict=True)]
        sample = Weighted(rows, [target for _, _, target, _ in WORLD])
        rewards = [one.quality for one in rows]
        robust = DoublyRobust(sample, rewards)
        estimates = {"ips": ips(sample, rewards), "dr": robust.value(), "difference": robust.difference()}
        probability = prod(p[a] for (_, p, _, _), a in zip(WORLD, draws, strict=True))
        expectation += probability * estimates[estimator].value
    assert expectation == pytest.approx(truth - logged if estimator == "difference" else truth, abs=1e-12)


def test_judged_by_a_coin_the_requests_that_were_not_judged_count_too() -> None:
    """The hard requests are judged ten times as often; the answer is about all requests."""
    chance = random.Random(0)
    rows = []
    for number in range(20_000):
        hard = number % 2 == 0
        rate = 0.5 if hard else 0.05
        if chance.random() < rate:
            rows.append(row(EVEN, int(chance.random() < 0.5), 0.2 if hard else 0.8, judge_rate=rate))
    sample = Weighted(rows, [SECOND] * len(rows))
    rewards = [one.quality for one in rows]
    assert sum(rewards) / len(rewards) < 0.27
    assert snips(sample, rewards).value == pytest.approx(0.5, abs=0.03)
    assert DoublyRobust(sample, rewards).value().value == pytest.approx(0.5, abs=0.03)


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[LoggedRow], list[Probabilities]]:
    count = draw(st.integers(2, 30))
    shares = st.floats(0.05, 0.95)
    rows: list[LoggedRow] = []
    target: list[Probabilities] = []
    for _ in range(count):
        p, pi = draw(shares), draw(shares)
        rows.append(
            row(
                (p, 1 - p),
                draw(st.integers(0, 1)),
                draw(st.floats(0, 1)),
                task=draw(st.sampled_from("ab")),
                judge_rate=draw(st.sampled_from([1.0, 0.1])),
            )
        )
        target.append((pi, 1 - pi))
    return rows, target


@given(samples())
def test_snips_stays_between_the_rewards(logs: tuple[list[LoggedRow], list[Probabilities]]) -> None:
    rewards = [one.quality for one in logs[0]]
    found = snips(Weighted(*logs), rewards, bounds=(0.0, 1.0))
    assert min(rewards) - 1e-9 <= found.value <= max(rewards) + 1e-9
    assert found.low <= found.value <= found.high


@given(samples(), st.floats(-5, 5))
def test_snips_moves_as_the_rewards_do(logs: tuple[list[LoggedRow], list[Probabilities]], shift: float) -> None:
    rewards = [one.quality for one in logs[0]]
    before = snips(Weighted(*logs), rewards)
    after = snips(Weighted(*logs), [reward + shift for reward in rewards])
    assert after.value == pytest.approx(before.value + shift, abs=1e-9)
    assert after.high - after.low == pytest.approx(before.high - before.low, abs=1e-6)


@given(samples())
def test_every_interval_holds_its_own_estimate(logs: tuple[list[LoggedRow], list[Probabilities]]) -> None:
    sample, rewards = Weighted(*logs), [one.quality for one in logs[0]]
    robust = DoublyRobust(sample, rewards, bounds=(0.0, 1.0))
    for found in (ips(sample, rewards), robust.value(), robust.difference(), robust.switched()):
        assert found.low <= found.value <= found.high
        assert found.standard_error >= 0
