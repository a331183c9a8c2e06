"""Levels: what was added can be taken off again, and surprises at normal figures are standard normal."""

import random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.beliefs.drift import DRIFT, DriftWatch, threshold_for
from tiercel.core.beliefs.level import MEMORY, Level, Skew

figures = st.floats(-1e3, 1e3)


@given(st.lists(figures, min_size=2, max_size=50), st.lists(figures, max_size=50))
def test_taking_off_the_last_is_having_never_added_them(first: list[float], last: list[float]) -> None:
    before, after = Level(first), Level([*first, *last]).without(last)
    assert len(after) == len(before)
    assert after.mean == pytest.approx(before.mean, abs=1e-6)
    assert after.deviation() == pytest.approx(before.deviation(), abs=1e-3)
    assert Level(first).mean == pytest.approx(fmean(first), abs=1e-6)
    assert Level(first).deviation() == pytest.approx(stdev(first), abs=1e-3)


@given(st.lists(figures, min_size=2, max_size=50))
def test_a_level_like_another_has_its_span(values: list[float]) -> None:
    span = Level(values).span()
    assert Level.like(span).span() == pytest.approx(span)


@pytest.mark.parametrize("settled", [10, 30, 300])
def test_surprises_at_normal_figures_are_standard_normal(settled: int) -> None:
    chance = random.Random(settled)
    surprises = []
    for _ in range(4_000):
        level = Level(chance.gauss(5.0, 2.0) for _ in range(settled))
        surprises.append(level.surprise(chance.gauss(5.0, 2.0), 0.0))
    assert fmean(surprises) == pytest.approx(0.0, abs=0.05)
    assert stdev(surprises) == pytest.approx(1.0, abs=0.04)


def test_what_is_old_counts_less() -> None:
    level = Level([1.0] * MEMORY)
    for _ in range(MEMORY):
        level.add(2.0)
    assert 1.6 < level.mean < 2.0


def test_a_heavy_tail_is_toned_down_and_a_normal_one_is_not() -> None:
    chance, normal, wrecks = random.Random(1), Skew(DRIFT), Skew(DRIFT)
    for _ in range(1_500):
        normal.add(max(-3.0, min(3.0, chance.gauss(0, 1))))
        wrecks.add(-3.0 if chance.random() < 0.1 else 1 / 3)
    assert normal.factor < 1.1
    assert wrecks.factor > 1.25


@pytest.mark.parametrize("rate", [2_000.0, 8_000.0])
def test_the_threshold_gives_the_rate_of_false_alarms_on_normal_figures(rate: float) -> None:
    chance, watch = random.Random(1), DriftWatch(threshold_for(rate), mended=threshold_for(rate), first_samples=0)
    samples = 100_000
    found = sum(watch.add("m", chance.gauss(0, 1), 1.0) is not None for _ in range(samples))
    assert found / samples * 1e6 == pytest.approx(rate, rel=0.2)


def test_thresholds_fall_with_the_rate_and_with_the_drift() -> None:
    assert threshold_for(1.0) > threshold_for(10.0) > threshold_for(1_000.0) > 0
    assert threshold_for(10.0, 1.0) < threshold_for(10.0, 0.4)
