"""The posterior against the joint Gaussian by brute force, slopes against what they were, and what is inherited."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import fmean

import pytest

from support.evidence import Drawn, drawn, evidence_of, joint, kind_of
from support.told import tell
from tiercel.core.beliefs.backfit import Backfit
from tiercel.core.beliefs.evidence import Evidence, Ratings
from tiercel.core.beliefs.linear import outer
from tiercel.core.beliefs.noise import Noise
from tiercel.core.beliefs.priors import Priors, raised
from tiercel.core.beliefs.quality import QualityBeliefs

NOISE = 0.3
# offset and variances are known, ratings scatter alike whatever the mean, and turns are taken until nothing moves
KNOWN = Priors(offset=1e-12, least_noise=NOISE, effects=1e15, rounds=300)
PRIOR = {f"m{i}": 0.6 for i in range(4)}


def beliefs(world: Drawn, priors: Priors = KNOWN) -> QualityBeliefs:
    found = QualityBeliefs(world.evidence, dict.fromkeys(world.models, 0.6), priors)
    assert found.noise.at(0.5) == found.noise.at(0.99) == NOISE
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shapes", [1, 2, 4])
def test_every_mean_is_that_of_the_joint_gaussian(seed: int, shapes: int) -> None:
    """Of what a model did, and of what it never did."""
    world = drawn(seed, KNOWN, noise=NOISE, shapes=shapes)
    found = beliefs(world)
    exact = joint(world.evidence, PRIOR, KNOWN, NOISE)
    unrated = 0
    for (kind, model), posterior in exact.qualities.items():
        ratings = world.evidence.kinds[kind].get(model)
        unrated += ratings is None
        assert found.expect(kind, model, ratings).mean == pytest.approx(posterior.mean, abs=1e-9)
    assert unrated


@pytest.mark.parametrize("part", ["model_segment", "model_shape"])
@pytest.mark.parametrize("times", [1 / 9, 9])
def test_how_much_models_differ_is_learned(part: str, times: float) -> None:
    """From worlds where they differ three times less, or more, than the priors say: half the way is gone at least."""
    true = replace(KNOWN, **{part: times * getattr(KNOWN, part)})
    found: list[float] = []
    flat: dict[str, tuple[float, ...]] = dict.fromkeys(PRIOR, ())
    for seed in range(6):
        world = drawn(seed, true, noise=0.1, shapes=4, segments=40, most=2_000)
        noise = Noise(0.4, 0.1, 0.1)
        fitted = Backfit(world.evidence, flat, PRIOR, Priors(), noise, rounds=Priors().rounds)
        found.append(getattr(fitted, part) / getattr(KNOWN, part))
    tell(f"{part}: {times:.2f} of the prior variance, learned {min(found):.2f} .. {max(found):.2f}")
    assert abs(math.log(fmean(found) / times)) < 0.5 * math.log(9)


@pytest.mark.parametrize("shapes", [1, 2, 4])
@pytest.mark.parametrize("most", [20, 200, 2_000])
def test_in_worlds_as_the_priors_say_little_is_lost_to_the_joint_gaussian(shapes: int, most: int) -> None:
    """With few rounds, several shapes, and a model's own ratings in its common effect: nearly as near the truth.

    Its own error bars hold as well: the squared error is what the variance says.
    """
    errors: dict[str, list[float]] = {"by turns": [], "joint": [], "scaled": []}
    for seed in range(15):
        world = drawn(seed, KNOWN, noise=NOISE, shapes=shapes, most=most)
        found = beliefs(world, replace(KNOWN, rounds=Priors().rounds))
        exact = joint(world.evidence, PRIOR, KNOWN, NOISE)
        for (kind, model), posterior in exact.qualities.items():
            truth = world.truth[kind, model]
            expected = found.expect(kind, model, world.evidence.kinds[kind].get(model))
            errors["by turns"].append((expected.mean - truth) ** 2)
            errors["joint"].append((posterior.mean - truth) ** 2)
            errors["scaled"].append((expected.mean - truth) ** 2 / expected.variance)
    assert math.sqrt(fmean(errors["by turns"]) / fmean(errors["joint"])) < 1.1
    assert 0.8 < fmean(errors["scaled"]) < 1.25


def test_a_model_nobody_tried_inherits_how_hard_the_segment_is() -> None:
    seen = {(kind_of(s), m): (100.0, mean) for s, mean in ((0, 0.9), (1, 0.3)) for m in ("m0", "m1", "m2")}
    found = QualityBeliefs(evidence_of(seen), PRIOR, Priors())
    for model in ("m3", "m2"):
        easy, difficult = (found.expect(kind_of(s), model, None) for s in (0, 1))
        assert easy.mean - difficult.mean > 0.4
        new_shape = found.expect(kind_of(1, 7), model, None)
        assert new_shape.mean == pytest.approx(difficult.mean, abs=0.1)
        assert new_shape.variance > difficult.variance
    newcomer, regular = (found.expect(kind_of(1), model, None) for model in ("m3", "m2"))
    assert newcomer.variance > regular.variance
    nowhere = found.expect(kind_of(9), "m3", None)
    assert nowhere.variance > newcomer.variance


def test_better_models_than_the_catalogue_says_raise_what_is_expected_of_a_new_one() -> None:
    good = {(kind_of(s), m): (200.0, 0.9) for s in range(5) for m in ("m0", "m1", "m2")}
    found = QualityBeliefs(evidence_of(good), PRIOR, Priors())
    assert found.expect(kind_of(9), "m3", None).mean > 0.68
    assert raised(0.6, 0.0) == pytest.approx(0.6)
    assert raised(0.6, 3.0) < 1.0


@pytest.mark.parametrize(("said", "shown"), [(0.95, 0.02), (0.75, 0.02), (0.3, 0.99), (0.55, 0.99)])
@pytest.mark.parametrize("models", [1, 3, 30])
def test_however_wrong_the_catalogue_is_a_few_turns_find_it_out(said: float, shown: float, models: int) -> None:
    seen = {(kind_of(s), f"m{i}"): (300.0, shown) for s in range(5) for i in range(models)}
    prior = dict.fromkeys([*(f"m{i}" for i in range(models)), "new"], said)
    few, many = (
        QualityBeliefs(evidence_of(seen), prior, Priors(rounds=rounds)).expect(kind_of(9), "new", None).mean
        for rounds in (Priors().rounds, 51)
    )
    assert few == pytest.approx(many, abs=0.1)


@pytest.mark.parametrize("mean", [-700.0, 700.0])
def test_an_absurd_figure_does_not_make_everything_doubtful(mean: float) -> None:
    """However it came about: how much models differ stays within what qualities can."""
    seen = {(kind_of(s), m): (100.0, 0.7) for s in range(3) for m in ("m0", "m1")} | {(kind_of(5), "m0"): (0.001, mean)}
    fitted = Backfit(evidence_of(seen), dict.fromkeys(PRIOR, ()), PRIOR, Priors(), Noise(0.02, 0.005, 0.005), rounds=4)
    assert max(fitted.model_segment, fitted.model_shape) <= 0.25


@pytest.mark.parametrize("model", ["m0", "m3"])
def test_doubt_grows_as_ratings_fade(model: str) -> None:
    """Ratings that weigh a ten-thousandth of what they did leave what was known before there were any."""
    seen = {(kind_of(s), m): (200.0, 0.8) for s in range(3) for m in ("m0", "m1", "m2")}
    variances = []
    for faded in (1.0, 0.5, 0.1, 0.01, 0.0001):
        evidence = evidence_of({key: (n * faded, mean) for key, (n, mean) in seen.items()})
        found = QualityBeliefs(evidence, PRIOR, Priors(noise_counts=1e9))
        variances.append(found.expect(kind_of(0), model, evidence.kinds[kind_of(0)].get(model)).variance)
    assert variances == sorted(variances)
    nothing = QualityBeliefs(Evidence(0), PRIOR, Priors()).expect(kind_of(0), model, None)
    assert variances[-1] == pytest.approx(nothing.variance, rel=0.05)


def test_without_evidence_the_catalogue_is_believed() -> None:
    priors = Priors()
    found = QualityBeliefs(Evidence(2), {"a": 0.5, "b": 0.8}, priors)
    total = priors.model + priors.segment + priors.shape + priors.model_segment + priors.model_shape
    assert found.expect(kind_of(0), "b", None) == pytest.approx((0.8, total))
    assert found.slope("a") == (0.0, 0.0)
    assert found.expect(kind_of(0), "unheard-of", None).mean == pytest.approx(0.6)


@pytest.mark.parametrize("own", [0.0, 0.03])
def test_slopes_are_found_again(own: float) -> None:
    """Within kinds, whatever their means: a common slope, and each model's own where it has one."""
    chance = random.Random(7)
    size, common = 3, (0.04, -0.03, 0.0)
    slopes = {f"m{i}": tuple(c + own * (i - 1) for c in common) for i in range(3)}
    evidence = Evidence(size)
    for s in range(4):
        for model, slope in slopes.items():
            ratings = Ratings(0.0, 0.0, [0.0] * size, [0.0] * size)
            products = evidence.products.setdefault(model, [0.0] * (size * (size + 1) // 2))
            # long prompts are the easy segments': that is no slope
            z0 = 0.5 * s
            for _ in range(1_500):
                z = [chance.gauss(z0, 1.0) for _ in range(size)]
                mean = 0.5 + 0.1 * s + sum(b * x for b, x in zip(slope, z, strict=True))
                r = mean + chance.gauss(0.0, 0.2)
                ratings.add(Ratings(1.0, r, z, [r * x for x in z]))
                products = [a + b for a, b in zip(products, outer(z), strict=True)]
                evidence.squares += r * r
                evidence.labels += 1
            evidence.products[model] = products
            evidence.kinds.setdefault(kind_of(s), {})[model] = ratings
    found = QualityBeliefs(evidence, PRIOR, Priors())
    for model, slope in slopes.items():
        assert found.slope(model) == pytest.approx(slope, abs=0.012)
        for s in range(4):
            level = found.expect(kind_of(s), model, evidence.kinds[kind_of(s)][model]).mean
            assert level == pytest.approx(0.5 + 0.1 * s, abs=0.03)
    # nobody has tried it: it takes prompts as the others do
    assert found.slope("m3") == pytest.approx(common, abs=0.02)


def test_a_model_rated_without_features_only_takes_prompts_as_the_others_do() -> None:
    evidence = Evidence(1)
    evidence.kinds[kind_of(0)] = {"m0": Ratings(3.0, 2.0, [0.5], [0.4])}
    evidence.products["m0"] = [2.0]
    evidence.kinds[kind_of(0, -1)] = {"m1": Ratings(2.0, 1.0, [0.0], [0.0])}
    found = QualityBeliefs(evidence, PRIOR, Priors())
    assert found.slope("m1") == found.slope("m3") != (0.0,)
