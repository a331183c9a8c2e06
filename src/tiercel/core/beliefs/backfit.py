"""The effects of quality.py, estimated by turns, each given the others: models, difficulties, what models have of own.

That is Gauss-Seidel on the mixed-model equations (Robinson: "That BLUP is a good thing", Statistical Science 6, 1991,
section 2); an effect is fitted with those within it integrated out, so that few turns do. How much models differ from
what is common, by segment and by shape, is learned with it: a step of Fisher scoring a round on the residuals' squares
(Harville: "Maximum likelihood approaches to variance component estimation", JASA 72, 1977), shrunk to the priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tiercel.core.beliefs.evidence import Evidence, Kind
from tiercel.core.beliefs.linear import dot
from tiercel.core.beliefs.noise import Noise
from tiercel.core.beliefs.priors import UNKNOWN, Expectation, Priors, raised
from tiercel.domain.request import Segment

_LEAST_SHARE = 0.05
"""However alike models look, this part of the prior variance remains."""
_MOST = 0.25
"""Nothing within 0..1 varies more."""
_LONGEST_STEP = 2.0
"""The offset moves no further in a turn: from where all models look very good, Newton's way to bad ones overshoots."""


@dataclass(slots=True)
class _Cell:
    """One model on one shape: its mean rating, slopes taken off, the variance of that mean, and what was fitted."""

    shape: int
    mean: float
    variance: float
    precision: float = 0.0
    own: float = 0.0


@dataclass(slots=True)
class _Group:
    """One model in one segment. `mean` and `precision` sum its cells up, `own` is delta_as.

    `about_model` is the precision of the mean about what the model is in general.
    """

    model: str
    cells: dict[int, _Cell]
    mean: float = 0.0
    precision: float = 0.0
    about_model: float = 0.0
    own: float = 0.0


@dataclass(slots=True)
class _Segment:
    """How hard a segment is, and how much harder each shape; with the precisions that the ratings give to that."""

    groups: dict[str, _Group] = field(default_factory=dict)
    hard: float = 0.0
    precision: float = 0.0
    shapes: dict[int, float] = field(default_factory=dict)
    shape_precision: dict[int, float] = field(default_factory=dict)


_NOWHERE = _Segment()


class Backfit:
    """One fit. Cost linear in the cells times `rounds`; about 2 us for each."""

    def __init__(
        self,
        evidence: Evidence,
        slopes: Mapping[str, Sequence[float]],
        prior_mean: Mapping[str, float],
        priors: Priors,
        noise: Noise,
        *,
        rounds: int,
    ) -> None:
        self._priors = priors
        self._prior_mean = prior_mean
        self._segments: dict[Segment, _Segment] = {}
        means = evidence.means()
        for (segment, shape), of_models in evidence.kinds.items():
            for model, ratings in of_models.items():
                if ratings.n > 1e-9:
                    held = self._segments.setdefault(segment, _Segment())
                    mean = (ratings.r - dot(slopes[model], ratings.z)) / ratings.n
                    cell = _Cell(shape, mean, noise.at(means[model]) / ratings.n)
                    held.groups.setdefault(model, _Group(model, {})).cells[shape] = cell
                    held.shapes[shape] = 0.0
        self._alpha = {group.model: 0.0 for held in self._segments.values() for group in held.groups.values()}
        self._precision = dict.fromkeys(self._alpha, 0.0)
        self._offset = 0.0
        self.model_segment, self.model_shape = priors.model_segment, priors.model_shape
        for _ in range(rounds):
            self._fit_models()
            self._fit_difficulty()
            self._fit_own()
            self._fit_variances()

    def before(self, kind: Kind, model: str) -> Expectation:
        """What is expected of a model on a kind of request, as if none of its own ratings of that kind were known.

        Where it has some, the mean is that which gives the fitted one once they are added.
        """
        priors, (segment, shape) = self._priors, kind
        held = self._segments.get(segment, _NOWHERE)
        group = held.groups.get(model)
        cell = group.cells.get(shape) if group else None
        about_model = group.about_model if group else 0.0
        alpha = self.general(model)
        mean = alpha.mean + held.hard + held.shapes.get(shape, 0.0)
        variance = 1.0 / (1.0 / alpha.variance - about_model)
        variance += 1.0 / (1.0 / priors.segment + held.precision - about_model)
        known = cell.precision if cell else 0.0
        variance += 1.0 / (1.0 / priors.shape + held.shape_precision.get(shape, 0.0) - known)
        variance += 1.0 / (1.0 / self.model_segment + (group.precision if group else 0.0) - known) + self.model_shape
        if group is not None:
            mean += group.own
        if cell is not None:
            mean += cell.own + (mean + cell.own - cell.mean) * variance / cell.variance
        return Expectation(mean, variance)

    def common(self, kind: Kind, model: str) -> float:
        """What the effects that models share say of a model on a kind of request."""
        held = self._segments.get(kind[0], _NOWHERE)
        return self.general(model).mean + held.hard + held.shapes.get(kind[1], 0.0)

    def general(self, model: str) -> Expectation:
        """A model over everything."""
        if model in self._alpha:
            return Expectation(self._alpha[model], 1.0 / (1.0 / self._priors.model + self._precision[model]))
        return Expectation(self._prior(model), self._priors.model)

    def _prior(self, model: str) -> float:
        return raised(self._prior_mean.get(model, UNKNOWN), self._offset)

    def _fit_models(self) -> None:
        priors = self._priors
        sums = dict.fromkeys(self._alpha, 0.0)
        precisions = dict.fromkeys(self._alpha, 0.0)
        for held in self._segments.values():
            for group in held.groups.values():
                self._sum_up(group, held)
                precisions[group.model] += group.about_model
                sums[group.model] += group.about_model * (group.mean - held.hard)
        self._precision = precisions
        # one step of Newton's method towards the offset that explains the models' means best
        slope, curve = -self._offset / priors.offset, 1 / priors.offset
        for model, value in sums.items():
            precision = precisions[model]
            weight = 1 / (priors.model + 1 / precision)
            prior = self._prior(model)
            gradient = prior * (1 - prior)
            slope += weight * gradient * (value / precision - prior)
            curve += weight * gradient * gradient
        self._offset += max(-_LONGEST_STEP, min(slope / curve, _LONGEST_STEP))
        for model, value in sums.items():
            self._alpha[model] = (self._prior(model) / priors.model + value) / (1 / priors.model + precisions[model])

    def _sum_up(self, group: _Group, held: _Segment) -> None:
        """The group's mean with the shapes' difficulties taken off, its own shapes integrated out."""
        total = value = 0.0
        for cell in group.cells.values():
            precision = cell.precision = 1 / (self.model_shape + cell.variance)
            total += precision
            value += precision * (cell.mean - held.shapes[cell.shape])
        group.precision, group.mean = total, value / total
        group.about_model = 1 / (self.model_segment + 1 / total)

    def _own(self, group: _Group, level: float) -> float:
        """What the model has of its own in the segment, above what is common there."""
        return (group.mean - level) * group.precision / (group.precision + 1 / self.model_segment)

    def _fit_difficulty(self) -> None:
        priors, alpha = self._priors, self._alpha
        for held in self._segments.values():
            total = value = 0.0
            for group in held.groups.values():
                total += group.about_model
                value += group.about_model * (group.mean - alpha[group.model])
            held.precision, held.hard = total, value / (total + 1 / priors.segment)
            sums, precisions = dict.fromkeys(held.shapes, 0.0), dict.fromkeys(held.shapes, 0.0)
            for group in held.groups.values():
                level = alpha[group.model] + held.hard
                group.own = self._own(group, level)
                level += group.own
                for cell in group.cells.values():
                    sums[cell.shape] += cell.precision * (cell.mean - level)
                    precisions[cell.shape] += cell.precision
            held.shape_precision = precisions
            held.shapes = {shape: sums[shape] / (total + 1 / priors.shape) for shape, total in precisions.items()}

    def _fit_own(self) -> None:
        """What each model has of its own in each segment and on each shape, given all that is common."""
        for held in self._segments.values():
            for group in held.groups.values():
                self._sum_up(group, held)
                level = self._alpha[group.model] + held.hard
                group.own = self._own(group, level)
                for cell in group.cells.values():
                    rest = cell.mean - level - group.own - held.shapes[cell.shape]
                    cell.own = rest * self.model_shape * cell.precision

    def _fit_variances(self) -> None:
        """One step of Fisher scoring: residuals of so much leverage are expected to be so much smaller."""
        priors = self._priors
        by_segment: list[tuple[float, float, float]] = []
        by_shape: list[tuple[float, float, float]] = []
        for held in self._segments.values():
            for group in held.groups.values():
                level = self._alpha[group.model] + held.hard
                free = (1 - group.about_model / (held.precision + 1 / priors.segment)) * (
                    1 - group.about_model / (self._precision[group.model] + 1 / priors.model)
                )
                by_segment.append((group.mean - level, 1 / group.precision, free))
                for cell in group.cells.values():
                    free = (1 - cell.precision / (group.precision + 1 / self.model_segment)) * (
                        1 - cell.precision / (held.shape_precision[cell.shape] + 1 / priors.shape)
                    )
                    by_shape.append((cell.mean - level - group.own - held.shapes[cell.shape], cell.variance, free))
        self.model_segment = _scored(self.model_segment, priors.model_segment, by_segment, priors.effects)
        self.model_shape = _scored(self.model_shape, priors.model_shape, by_shape, priors.effects)


def _scored(
    variance: float, prior: float, residuals: Iterable[tuple[float, float, float]], prior_effects: float
) -> float:
    """The variance of effects whose residuals, known up to some variance, have so much freedom left."""
    information = prior_effects / (variance * variance)
    value = information * prior
    for residual, known, free in residuals:
        weight = 1 / (variance + known) ** 2
        value += weight * (residual * residual - free * known)
        information += weight * free
    return min(max(value / information, _LEAST_SHARE * prior), max(prior, _MOST))
