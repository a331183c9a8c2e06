"""Noticing a change: seldom where there is none, soon where there is one, never where everybody moved."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from statistics import quantiles

import pytest

from support.told import tell
from tiercel.core.beliefs.drift import CLIP, DRIFT, FIRST_SAMPLES, MENDED, THRESHOLD, Alarm, DriftWatch

Draw = Callable[[random.Random], float]


def coin(chance_of: float) -> Draw:
    return lambda chance: float(chance.random() < chance_of)


def beta(a: float, b: float) -> Draw:
    return lambda chance: chance.betavariate(a, b)


def mostly_full_marks(chance: random.Random) -> float:
    """Skewed: full marks, and seldom a wreck."""
    return 1.0 if chance.random() < 0.9 else chance.choice((0.0, 0.5))


STATIONARY: dict[str, tuple[Draw, float, float]] = {
    "0.95": (coin(0.95), 0.95, 0.0475),
    "0.8": (coin(0.8), 0.8, 0.16),
    "0.5": (coin(0.5), 0.5, 0.25),
    "beta(8, 2)": (beta(8, 2), 0.8, 0.8 * 0.2 / 11),
    "beta(.5, .5)": (beta(0.5, 0.5), 0.5, 0.125),
    "skewed": (mostly_full_marks, 0.925, 0.9 + 0.05 * 0.25 - 0.925**2),
}


@pytest.mark.parametrize("name", STATIONARY)
@pytest.mark.parametrize("models", [1, 4])
def test_false_alarms_are_fewer_than_one_in_a_thousand_ratings(name: str, models: int) -> None:
    draw, mean, variance = STATIONARY[name]
    chance = random.Random(f"{name}/{models}")
    watch = DriftWatch()
    ratings = 60_000
    alarms = sum(watch.add(f"m{i % models}", draw(chance) - mean, variance) is not None for i in range(ratings))
    tell(f"{name}, {models} models: {1000 * alarms / ratings:.3f} false alarms per 1,000 ratings")
    assert alarms < ratings / 1_000


def delays(before: float, after: float, *, models: int, runs: int = 300, settled: int = 60) -> Iterator[Alarm]:
    """Ratings of m0 until the alarm after its change, as the alarm's samples; the others stay as they are."""
    for seed in range(runs):
        chance = random.Random(f"{before}/{after}/{models}/{seed}")
        watch = DriftWatch()
        for n in range(settled * models):
            watch.add(f"m{n % models}", coin(before)(chance) - before, before * (1 - before))
        for n in range(1, 1_000):
            alarm = watch.add("m0", coin(after)(chance) - before, before * (1 - before))
            for i in range(1, models):
                watch.add(f"m{i}", coin(before)(chance) - before, before * (1 - before))
            if alarm is not None:
                yield Alarm(alarm.model, alarm.shift, n, alarm.strength)
                break
        else:
            pytest.fail("a change was never noticed")


@pytest.mark.parametrize(
    ("before", "after", "half", "nearly_all"), [(0.95, 0.5, 15, 30), (0.5, 0.95, 45, 80), (0.8, 0.3, 20, 40)]
)
@pytest.mark.parametrize("models", [1, 4])
def test_a_change_is_noticed_within_tens_of_ratings(
    before: float, after: float, half: int, nearly_all: int, models: int
) -> None:
    alarms = list(delays(before, after, models=models))
    ranked = quantiles((alarm.samples for alarm in alarms), n=20)
    tell(f"{before} -> {after}, {models} models: median {ranked[9]:.0f}, 95th percentile {ranked[18]:.0f} ratings")
    assert ranked[9] <= half
    assert ranked[18] < nearly_all
    right = sum((alarm.shift > 0) == (after > before) for alarm in alarms)
    assert right / len(alarms) > 0.98


@pytest.mark.parametrize("models", [3, 5, 10])
@pytest.mark.parametrize("shift", [-0.4, 0.15])
def test_what_moves_everybody_is_the_judge_s(models: int, shift: float) -> None:
    """Of a hundred judges that turn strict at once, hardly one makes a model look changed."""
    alarms = 0
    for seed in range(30):
        chance = random.Random(f"{models}/{shift}/{seed}")
        watch = DriftWatch()
        for n in range(200):
            for i in range(models):
                mean = 0.7 + shift * (n >= 100)
                quality = coin(mean)(chance)
                alarms += watch.add(f"m{i}", quality - 0.7, 0.21) is not None and n >= 100
    tell(f"{models} models moved by {shift}: {alarms} alarms in 30 runs of {100 * models} ratings")
    # what is left is the false alarms of that many ratings
    assert alarms <= 30 * 100 * models / 1_000


def test_one_of_three_that_alone_moved_is_found_while_the_judge_moves_too() -> None:
    chance = random.Random(5)
    watch = DriftWatch()
    found: list[Alarm] = []
    for n in range(160):
        for i in range(4):
            mean = 0.8 - 0.1 * (n >= 100) - 0.5 * (n >= 100 and i == 0)
            alarm = watch.add(f"m{i}", coin(mean)(chance) - 0.8, 0.16)
            found += [alarm] if alarm is not None else []
    assert {alarm.model for alarm in found} == {"m0"}
    assert -0.65 < found[0].shift < -0.25, "the judge's share is taken off, and a little for being few"


def test_the_first_ratings_of_a_model_prove_nothing() -> None:
    watch = DriftWatch()
    assert not any(watch.add("m", -1.0, 0.05) for _ in range(FIRST_SAMPLES))
    until = next(n for n in range(1, 100) if watch.add("m", -1.0, 0.05))
    assert until >= THRESHOLD / (CLIP - DRIFT), "no rating counts as more than three standard deviations"


def test_after_a_rise_it_starts_anew() -> None:
    watch = DriftWatch()
    while watch.add("m", 1.0, 0.05) is None:
        pass
    assert not any(watch.add("m", 1.0, 0.05) for _ in range(FIRST_SAMPLES))


def test_after_a_fall_mending_is_noticed_sooner_than_a_change_was() -> None:
    watch = DriftWatch()
    while (fall := watch.add("m", -0.5, 0.1)) is None:
        pass
    until = next(n for n in range(1, 100) if watch.add("m", 0.5, 0.1))
    assert fall.shift < 0
    assert until < fall.samples
    assert MENDED < THRESHOLD


def test_no_variance_is_no_division_by_zero() -> None:
    watch = DriftWatch()
    assert not any(watch.add("m", 0.0, 0.0) for _ in range(1_000))


def test_what_others_were_rated_long_ago_is_no_part_of_now() -> None:
    """Two models that are no longer used ended with bad luck; the one that is used is what it always was."""
    chance = random.Random(8)
    watch = DriftWatch()
    for _ in range(20):
        for name in ("left", "right"):
            watch.add(name, -0.2, 0.1)
    alarms = [n for n in range(4_000) if watch.add("used", coin(0.9)(chance) - 0.9, 0.09) is not None]
    assert len(alarms) <= 4
    assert all(alarm < 250 for alarm in alarms), alarms
