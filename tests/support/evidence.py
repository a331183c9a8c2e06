"""Evidence made up for tests of beliefs, and the joint normal posterior of everything, by brute force."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tiercel.core.beliefs.evidence import Evidence, Kind, Ratings
from tiercel.core.beliefs.priors import Expectation, Priors

Truth = Mapping[tuple[Kind, str], float]


def kind_of(segment: int, shape: int = 0) -> Kind:
    """A shape of prompt in a numbered stage."""
    return ("stage", "w", f"s{segment}"), shape


def evidence_of(ratings: Mapping[tuple[Kind, str], tuple[float, float]]) -> Evidence:
    """So many ratings with that mean, of each model on each kind, without figures."""
    evidence = Evidence(0)
    for (kind, model), (n, mean) in ratings.items():
        evidence.kinds.setdefault(kind, {})[model] = Ratings(n, n * mean, [], [])
        evidence.labels += n
        evidence.squares += n * mean * mean
    return evidence


class Drawn(NamedTuple):
    """A world drawn from the priors: what was seen of it, and what it is."""

    evidence: Evidence
    truth: Truth
    models: tuple[str, ...]


def drawn(
    seed: int,
    priors: Priors,
    *,
    noise: float,
    models: int = 4,
    segments: int = 5,
    shapes: int = 1,
    most: int = 200,
    rated: float = 0.7,
) -> Drawn:
    """Models, segments and shapes as the priors say, around .6; of `rated` of the cells up to `most` ratings."""
    chance = random.Random(seed)

    def normal(variance: float) -> float:
        return chance.gauss(0.0, variance**0.5)

    names = tuple(f"m{i}" for i in range(models))
    alpha = {name: 0.6 + normal(priors.model) for name in names}
    truth: dict[tuple[Kind, str], float] = {}
    seen: dict[tuple[Kind, str], tuple[float, float]] = {}
    for s in range(segments):
        hard = normal(priors.segment)
        own = {name: normal(priors.model_segment) for name in names}
        for h in range(shapes):
            harder = normal(priors.shape)
            for name in names:
                mean = alpha[name] + hard + harder + own[name] + normal(priors.model_shape)
                truth[kind_of(s, h), name] = mean
                if chance.random() < rated:
                    n = float(chance.randint(1, most))
                    seen[kind_of(s, h), name] = n, mean + normal(noise / n)
    return Drawn(evidence_of(seen), truth, names)


class Joint(NamedTuple):
    """The posterior of every model on every kind, and of the effects by themselves."""

    qualities: Mapping[tuple[Kind, str], Expectation]
    effects: Mapping[tuple[object, ...], float]


def joint(evidence: Evidence, prior_mean: Mapping[str, float], priors: Priors, noise: float) -> Joint:
    """All effects of core/beliefs/quality.py at once, as one normal vector: invert its precision and read it off."""
    places: dict[tuple[object, ...], int] = {}
    variances: list[float] = []

    def place(effect: tuple[object, ...], variance: float) -> int:
        if effect not in places:
            places[effect] = len(places)
            variances.append(variance)
        return places[effect]

    rows: dict[tuple[Kind, str], list[int]] = {}
    for kind in evidence.kinds:
        segment = kind[0]
        for model in prior_mean:
            rows[kind, model] = [
                place(("model", model), priors.model),
                place(("segment", segment), priors.segment),
                place(("shape", *kind), priors.shape),
                place(("model", segment, model), priors.model_segment),
                place(("model", *kind, model), priors.model_shape),
            ]
    centre = np.zeros(len(places))
    for model, mean in prior_mean.items():
        centre[places["model", model]] = mean
    precision = np.diag(1.0 / np.array(variances))
    right = precision @ centre
    for (kind, model), row in rows.items():
        ratings = evidence.kinds[kind].get(model)
        if ratings is not None:
            precision[np.ix_(row, row)] += ratings.n / noise
            right[row] += ratings.r / noise
    covariance = np.linalg.inv(precision)
    posterior = covariance @ right
    qualities = {
        key: Expectation(float(posterior[row].sum()), float(covariance[np.ix_(row, row)].sum()))
        for key, row in rows.items()
    }
    return Joint(qualities, {effect: float(posterior[i]) for effect, i in places.items()})
