"""The common effects of quality.py, estimated by turns: models given difficulties, difficulties given models.

Everything is precision weighted. The difficulty that counts for model a is estimated from the other models only, so
that a's own ratings are not counted twice when they are added (`QualityBeliefs.expect`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tiercel.core.beliefs.evidence import Evidence, Kind
from tiercel.core.beliefs.linear import dot
from tiercel.core.beliefs.noise import Noise
from tiercel.core.beliefs.priors import UNKNOWN, Expectation, Priors, raised
from tiercel.domain.request import Segment


@dataclass(slots=True)
class Effects:
    """What `quality.py` calls alpha, w and delta; difficulties and own effects are before a model's own ratings."""

    offset: float = 0.0
    alpha: dict[str, Expectation] = field(default_factory=dict)
    difficulty: dict[tuple[Kind, str], Expectation] = field(default_factory=dict)
    segment: dict[tuple[Segment, str], Expectation] = field(default_factory=dict)
    own: dict[tuple[Kind, str], Expectation] = field(default_factory=dict)
    own_segment: dict[tuple[Segment, str], Expectation] = field(default_factory=dict)


class _Cell(NamedTuple):
    """The mean rating of one model on one kind, slopes taken off, with its precision about the common effects.

    `about_segment` is its precision about what the model is in this segment.
    """

    model: str
    mean: float
    precision: float
    about_segment: float


class Backfit:
    """One fit. Cost linear in the cells times `Priors.rounds`; about 2 us for each."""

    def __init__(
        self,
        evidence: Evidence,
        slopes: Mapping[str, Sequence[float]],
        prior_mean: Mapping[str, float],
        priors: Priors,
        noise: Noise,
    ) -> None:
        self._priors = priors
        self._prior_mean = prior_mean
        self._cells: dict[Kind, list[_Cell]] = {}
        means = evidence.means()
        for kind, of_models in evidence.kinds.items():
            cells = []
            for model, ratings in of_models.items():
                if ratings.n > 1e-9:
                    own = noise.at(means[model]) / ratings.n
                    mean = (ratings.r - dot(slopes[model], ratings.z)) / ratings.n
                    cells.append(_Cell(model, mean, 1 / (priors.own + own), 1 / (priors.model_shape + own)))
            if cells:
                self._cells[kind] = cells
        self._kinds_of: dict[Segment, list[Kind]] = {}
        for kind in self._cells:
            self._kinds_of.setdefault(kind[0], []).append(kind)
        self._alpha = dict.fromkeys((cell.model for cells in self._cells.values() for cell in cells), 0.0)
        self._precision = dict.fromkeys(self._alpha, 0.0)
        self._offset = 0.0
        self._hard = dict.fromkeys(self._cells, 0.0)

    def effects(self) -> Effects:
        """Fit, and read off what the policy needs."""
        for cells in self._cells.values():
            for cell in cells:
                self._precision[cell.model] += cell.precision
        for _ in range(self._priors.rounds):
            self._fit_models()
            self._fit_difficulty()
        found = Effects(offset=self._offset)
        for model, mean in self._alpha.items():
            found.alpha[model] = Expectation(mean, 1 / (1 / self._priors.model + self._precision[model]))
        for segment, kinds in self._kinds_of.items():
            self._leave_one_out(segment, kinds, found)
        return found

    def _prior(self, model: str) -> float:
        return raised(self._prior_mean.get(model, UNKNOWN), self._offset)

    def _fit_models(self) -> None:
        priors = self._priors
        sums = dict.fromkeys(self._alpha, 0.0)
        for kind, cells in self._cells.items():
            hard = self._hard[kind]
            for cell in cells:
                sums[cell.model] += cell.precision * (cell.mean - hard)
        # one step of Newton's method towards the offset that explains the models' means best
        slope, curve = -self._offset / priors.offset, 1 / priors.offset
        for model, value in sums.items():
            precision = self._precision[model]
            weight = 1 / (priors.model + 1 / precision)
            prior = self._prior(model)
            gradient = prior * (1 - prior)
            slope += weight * gradient * (value / precision - prior)
            curve += weight * gradient * gradient
        self._offset += slope / curve
        for model, value in sums.items():
            precision = self._precision[model]
            self._alpha[model] = (self._prior(model) / priors.model + value) / (1 / priors.model + precision)

    def _fit_difficulty(self) -> None:
        priors = self._priors
        for kinds in self._kinds_of.values():
            found = []
            weighted, total = 0.0, 1 / priors.segment
            for kind in kinds:
                precision = value = 0.0
                for cell in self._cells[kind]:
                    precision += cell.precision
                    value += cell.precision * (cell.mean - self._alpha[cell.model])
                found.append((kind, precision, value))
                weight = 1 / (priors.shape + 1 / precision)
                weighted += weight * value / precision
                total += weight
            segment = weighted / total
            for kind, precision, value in found:
                self._hard[kind] = (value + segment / priors.shape) / (precision + 1 / priors.shape)

    def _leave_one_out(self, segment: Segment, kinds: Sequence[Kind], found: Effects) -> None:
        """Difficulties without a model's own ratings, then what the model's other shapes of the segment say of it."""
        sums: dict[Kind, tuple[float, float]] = {}
        for kind in kinds:
            cells = self._cells[kind]
            precision = sum(cell.precision for cell in cells)
            value = sum(cell.precision * (cell.mean - self._alpha[cell.model]) for cell in cells)
            sums[kind] = precision, value
        by_model = {kind: {cell.model: cell for cell in self._cells[kind]} for kind in kinds}
        # who has no ratings at all inherits how hard it is for the others
        for model in dict.fromkeys((*found.alpha, *self._prior_mean)):
            without = {kind: self._without(sums[kind], by_model[kind].get(model)) for kind in kinds}
            self._enter(segment, model, without, by_model, found)

    def _without(self, sums: tuple[float, float], cell: _Cell | None) -> tuple[float, float]:
        precision, value = sums
        if cell is None:
            return precision, value
        # what is left of a single cell is nothing, up to rounding
        precision = max(0.0, precision - cell.precision)
        return precision, (value - cell.precision * (cell.mean - self._alpha[cell.model])) if precision > 1e-9 else 0.0

    def _enter(
        self,
        segment: Segment,
        model: str,
        without: Mapping[Kind, tuple[float, float]],
        by_model: Mapping[Kind, Mapping[str, _Cell]],
        found: Effects,
    ) -> None:
        priors = self._priors
        weighted, total = 0.0, 1 / priors.segment
        for precision, value in without.values():
            if precision > 1e-9:
                weight = 1 / (priors.shape + 1 / precision)
                weighted += weight * value / precision
                total += weight
        hard = Expectation(weighted / total, 1 / total)
        found.segment[segment, model] = Expectation(hard.mean, hard.variance + priors.shape)
        residuals: dict[Kind, tuple[float, float]] = {}
        rest, rest_precision = 0.0, 1 / priors.model_segment
        for kind, (precision, value) in without.items():
            spread = 1 / (precision + 1 / priors.shape)
            mean = (value + hard.mean / priors.shape) * spread
            carried = (spread / priors.shape) ** 2 * hard.variance
            found.difficulty[kind, model] = Expectation(mean, spread + carried)
            cell = by_model[kind].get(model)
            if cell is not None:
                residual = cell.about_segment * (cell.mean - self._alpha[model] - mean)
                residuals[kind] = residual, cell.about_segment
                rest += residual
                rest_precision += cell.about_segment
        own = Expectation(rest / rest_precision, 1 / rest_precision + priors.model_shape)
        found.own_segment[segment, model] = own
        for kind, (residual, precision) in residuals.items():
            left = rest_precision - precision
            found.own[kind, model] = Expectation((rest - residual) / left, 1 / left + priors.model_shape)
