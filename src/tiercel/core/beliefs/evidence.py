"""The ratings in force now: moments faded to the present, and discounted where the model has changed since."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tiercel.core.beliefs.change import Change, latest_change
from tiercel.core.statistics.fold import Key, moments_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.moments import Moments, ShapeMoments
from tiercel.domain.request import Segment

_ROUNDING = 1e-6

Kind = tuple[Segment, int]
"""A segment and a shape of prompt."""


@dataclass(slots=True)
class Ratings:
    """The ratings of one model on one kind of request: their weight, and sums of quality, figures and products."""

    n: float
    r: float
    z: list[float]
    rz: list[float]

    def add(self, other: Ratings) -> None:
        """Add up."""
        self.n += other.n
        self.r += other.r
        self.z = [a + b for a, b in zip(self.z, other.z, strict=True)]
        self.rz = [a + b for a, b in zip(self.rz, other.rz, strict=True)]


@dataclass(slots=True)
class Evidence:
    """What all ratings in one basis of `size` figures say at one moment.

    `kinds` holds the ratings by kind and model; `products` the upper triangle of sum z z' by model; `squares` the sum
    of squared qualities. `before` is, for each model that changed, how much of what was said before then still counts.
    """

    size: int
    kinds: dict[Kind, dict[str, Ratings]] = field(default_factory=dict)
    products: dict[str, list[float]] = field(default_factory=dict)
    squares: float = 0.0
    labels: float = 0.0
    before: dict[str, Discount] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean quality of every model with ratings."""
        sums: dict[str, list[float]] = {}
        for of_models in self.kinds.values():
            for model, ratings in of_models.items():
                held = sums.setdefault(model, [0.0, 0.0])
                held[0] += ratings.n
                held[1] += ratings.r
        return {model: r / n if n > 0 else 0.5 for model, (n, r) in sums.items()}

    @property
    def models(self) -> set[str]:
        """Every model with ratings."""
        return {model for of_models in self.kinds.values() for model in of_models}


@dataclass(frozen=True, slots=True)
class Discount:
    """Ratings before a change count `factor` times, and as if each had been `shift` higher."""

    factor: float
    shift: float


def gather(knowledge: Knowledge, basis: str, size: int) -> Evidence:
    """The evidence in `basis`, with the ratings that came without features as a shape of their own.

    Cost linear in the kinds; some microseconds each.
    """
    evidence = Evidence(size)
    old: list[tuple[Key, Moments, Change]] = []
    for key, moments in knowledge.all_moments():
        model, its_basis, era = key[-3], key[-2], int(key[-1])
        if its_basis not in (basis, "") or (its_basis and moments.size != size):
            continue
        change = latest_change(knowledge, model)
        if era == change.era:
            _enter(evidence, knowledge, key, moments, Discount(1.0, 0.0))
        elif era == change.era - 1:
            old.append((key, moments, change))
    for model, weight in _weights(knowledge, old).items():
        change = latest_change(knowledge, model)
        evidence.before[model] = Discount(min(1.0, change.samples / weight) if weight > 0 else 0.0, change.shift)
    for key, moments, _ in old:
        _enter(evidence, knowledge, key, moments, evidence.before[key[-3]])
    return evidence


def ratings_now(
    knowledge: Knowledge, kind: Kind, model: str, basis: str, before: Mapping[str, Discount]
) -> Ratings | None:
    """The ratings of one model on one kind of request; a few microseconds."""
    segment, shape = kind
    era = latest_change(knowledge, model).era
    found: Ratings | None = None
    for its_era, discount in ((era, Discount(1.0, 0.0)), (era - 1, before.get(model))):
        if its_era < 0 or discount is None:
            continue
        moments = knowledge.moments(moments_key(segment, model, basis, its_era))
        of_shape = moments.shapes.get(shape) if moments else None
        if moments is None or of_shape is None or not _possible(of_shape):
            continue
        ratings = _discounted(_faded(knowledge, segment, moments), of_shape, discount)
        if found is None:
            found = ratings
        else:
            found.add(ratings)
    return found


def _weights(knowledge: Knowledge, old: Iterable[tuple[Key, Moments, Change]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for key, moments, _ in old:
        faded = _faded(knowledge, key[:-4], moments)
        weights[key[-3]] = weights.get(key[-3], 0.0) + faded * sum(of.n for of in tuple(moments.shapes.values()))
    return weights


def _enter(evidence: Evidence, knowledge: Knowledge, key: Key, moments: Moments, discount: Discount) -> None:
    segment, model = key[:-4], key[-3]
    faded = _faded(knowledge, segment, moments)
    # a copy: more may be learned meanwhile
    for shape, sums in tuple(moments.shapes.items()):
        ratings = _discounted(faded, sums, discount)
        if ratings.n <= 0 or not _possible(sums):
            continue
        if len(ratings.z) < evidence.size:
            ratings.z, ratings.rz = [0.0] * evidence.size, [0.0] * evidence.size
        evidence.labels += ratings.n
        of_models = evidence.kinds.setdefault((segment, shape), {})
        held = of_models.get(model)
        if held is None:
            of_models[model] = ratings
        else:
            held.add(ratings)
        # shifted ratings have other squares than the moments hold
        shift = discount.shift
        evidence.squares += faded * discount.factor * (2.0 * shift * sums.r + shift * shift * sums.n)
    weight = faded * discount.factor
    evidence.squares += weight * moments.rr
    if moments.size:
        products = evidence.products.get(model)
        scaled = [weight * value for value in moments.zz]
        evidence.products[model] = (
            scaled if products is None else [a + b for a, b in zip(products, scaled, strict=True)]
        )


def _faded(knowledge: Knowledge, segment: Segment, moments: Moments) -> float:
    return math.exp2(min(moments.landmark - knowledge.clock(segment).tick, 64.0))


def _possible(sums: ShapeMoments) -> bool:
    """Whether ratings in 0..1 add up to this: more may be taken back than is left of a segment that was dropped."""
    slack = _ROUNDING * sums.n
    return sums.n > 0 and -slack <= sums.r <= sums.n + slack


def _discounted(faded: float, sums: ShapeMoments, discount: Discount) -> Ratings:
    g, shift = faded * discount.factor, discount.shift
    return Ratings(
        n=g * sums.n,
        r=g * (sums.r + shift * sums.n),
        z=[g * value for value in sums.z],
        rz=[g * (rz + shift * z) for rz, z in zip(sums.rz, sums.z, strict=True)],
    )
