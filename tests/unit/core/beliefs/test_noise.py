"""How much ratings scatter: by how good a model is, with one dispersion for all."""

from __future__ import annotations

import random

import pytest

from support.evidence import kind_of
from tiercel.core.beliefs.evidence import Evidence, Ratings
from tiercel.core.beliefs.noise import noise_of
from tiercel.core.beliefs.priors import Priors

PRIORS = Priors()


def rated(means: dict[str, float], *, passes: bool, count: int = 400) -> Evidence:
    """Pass or fail with that chance, or a tenth to either side of the mean."""
    chance = random.Random(3)
    evidence = Evidence(0)
    for s in range(3):
        for model, mean in means.items():
            if passes:
                values = [float(chance.random() < mean) for _ in range(count)]
            else:
                values = [mean + chance.choice((-0.1, 0.1)) for _ in range(count)]
            evidence.kinds.setdefault(kind_of(s), {})[model] = Ratings(float(count), sum(values), [], [])
            evidence.squares += sum(value * value for value in values)
            evidence.labels += count
    return evidence


def test_of_pass_or_fail_the_variance_is_that_of_a_coin() -> None:
    noise = noise_of(rated({"a": 0.95, "b": 0.5}, passes=True), PRIORS)
    assert noise.dispersion == pytest.approx(1.0, abs=0.05)
    assert noise.at(0.95) == pytest.approx(0.95 * 0.05, rel=0.06)
    assert noise.at(0.5) == pytest.approx(0.25, rel=0.06)
    assert noise.usual == pytest.approx((0.0475 + 0.25) / 2, rel=0.1)


def test_graded_answers_scatter_less() -> None:
    noise = noise_of(rated({"a": 0.5, "b": 0.6}, passes=False), PRIORS)
    assert noise.at(0.5) == pytest.approx(0.01, rel=0.15)


def test_nothing_seen_is_taken_for_what_the_priors_say() -> None:
    noise = noise_of(Evidence(0), PRIORS)
    assert noise.usual == PRIORS.noise
    assert noise.at(0.5) == pytest.approx(PRIORS.noise)


def test_one_rating_each_says_nothing_of_scatter() -> None:
    noise = noise_of(rated({"a": 0.5}, passes=True, count=1), PRIORS)
    assert noise.dispersion == pytest.approx(4 * PRIORS.noise)


@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.01, 0.99, 1.0, 1.5])
def test_nobody_is_believed_to_be_without_fault(mean: float) -> None:
    noise = noise_of(rated({"a": 0.5}, passes=True), PRIORS)
    assert noise.at(mean) == pytest.approx(0.03 * 0.97, rel=0.05)
    certain = noise_of(rated({"a": 1.0}, passes=True), PRIORS)
    assert certain.at(mean) >= PRIORS.least_noise
