"""How far off an estimate may be: an interval that holds the truth in 95 of 100 cases, also where little was tried.

Every estimate is, to first order, a mean of terms m (c[a] e + d[a]): m is how many requests a row stands for, a the
model drawn, e the residual of its reward, c the coefficient that the estimator gives it, and d what the row contributes
whatever the reward. The usual variance is that of the terms that were seen. Where a few rows have large weights that is
too small more often than not: the rows that would show the variance are those that were not drawn. But a log that holds
whole distributions says how often each model would have been drawn with what weight, so

    variance = max(that of the terms seen, sum_i m_i^2 sum_a p_a (c_a^2 s2_a + d_a^2) / n^2)

with s2_a the mean square of a model's residuals over all rows, whatever their weight. From the same expectation come
the degrees of freedom of Student's t (Satterthwaite, "An approximate distribution of estimates of variance components",
1946) and the skewness, by which the interval is stretched on the side to which the terms lean (Johnson, "Modified t
tests and confidence intervals for asymmetrical populations", 1978). Every model counts one
observation more than it has, as far off as one may be: a model that never failed in 50 calls may still fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import NamedTuple

from tiercel.core.estimators.rows import LoggedRow
from tiercel.core.statistics.intervals import t_quantile

Bounds = tuple[float, float]

_FEWEST_DEGREES, _MOST_DEGREES = 3, 200
_MOST_SKEW = 1.0
"""More is not corrected for: beyond it the series that the correction begins is no approximation."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the 95 % interval around it (not clipped to where the figure may lie)."""

    value: float
    low: float
    high: float
    standard_error: float


class Terms(NamedTuple):
    """The terms of an estimate; see above. `coefficients[i][a]` and `offsets[i][a]` are those of row i and model a."""

    shares: Sequence[float]
    residuals: Sequence[float]
    coefficients: Sequence[Sequence[float]]
    offsets: Sequence[Sequence[float]]


class Moments(NamedTuple):
    """The mean second and third powers of a model's residuals."""

    second: float
    third: float


def residual_moments(
    rows: Sequence[LoggedRow], residuals: Sequence[float], *, mean: float, bounds: Bounds | None
) -> dict[str, Moments]:
    """Each model's residual moments, with one observation more: half at each of the `bounds` of rewards of that `mean`.

    Where rewards have no bounds (costs), the residual farthest from 0 counts once more.
    """
    seen: dict[str, list[float]] = {}
    for row, residual in zip(rows, residuals, strict=True):
        seen.setdefault(row.models[row.chosen], []).append(residual)
    moments = {}
    for model in {model for row in rows for model in row.models}:
        some = seen.get(model) or residuals  # of a model nobody chose those of all of them
        further = [max(some, key=abs)] if bounds is None else [bound - mean for bound in bounds]
        moments[model] = Moments(*(_mean_power(some, further, power) for power in (2, 3)))
    return moments


def _mean_power(residuals: Sequence[float], further: Sequence[float], power: int) -> float:
    more = fsum(residual**power for residual in further) / len(further)
    return (fsum(residual**power for residual in residuals) + more) / (len(residuals) + 1)


def estimate(value: float, rows: Sequence[LoggedRow], terms: Terms, moments: Mapping[str, Moments]) -> Estimate:
    """`value` with the interval that its terms call for. Needs two rows or more; cost linear in rows times models."""
    seen = _seen_variance(rows, terms)
    expected, squares, cubes = _expected(rows, terms, moments)
    variance = max(seen, expected)
    if variance <= 0.0:
        return Estimate(value, value, value, 0.0)
    error = sqrt(variance)
    degrees = expected * expected / squares if squares > 0.0 else _MOST_DEGREES
    reach = t_quantile(round(min(max(degrees, _FEWEST_DEGREES), _MOST_DEGREES)))
    skew = min(max(cubes / (variance * error), -_MOST_SKEW), _MOST_SKEW)
    stretch = skew / 6 * (1 + 2 * reach * reach)
    return Estimate(
        value, value - error * (reach - min(stretch, 0.0)), value + error * (reach + max(stretch, 0.0)), error
    )


def _seen_variance(rows: Sequence[LoggedRow], terms: Terms) -> float:
    """The variance of the mean of the terms that were seen."""
    count = len(rows)
    seen = [
        share * (coefficients[row.chosen] * residual + offsets[row.chosen])
        for row, share, residual, coefficients, offsets in zip(
            rows, terms.shares, terms.residuals, terms.coefficients, terms.offsets, strict=True
        )
    ]
    mean = fsum(seen) / count
    return fsum((term - mean) ** 2 for term in seen) / (count * (count - 1))


def _expected(rows: Sequence[LoggedRow], terms: Terms, moments: Mapping[str, Moments]) -> tuple[float, float, float]:
    """Over the draws of the log: the variance of the mean, the sum of its parts' squares, and the third cumulant."""
    variance = squares = cubes = 0.0
    count = len(rows)
    for row, share, coefficients, offsets in zip(rows, terms.shares, terms.coefficients, terms.offsets, strict=True):
        part = share / count
        part2 = part * part
        for model, p, c, d in zip(row.models, row.logged, coefficients, offsets, strict=True):
            if p > 0.0:
                second, third = moments[model]
                c2, d2 = c * c, d * d
                square = part2 * (c2 * second + d2)
                variance += p * square
                squares += p * square * square
                cubes += p * part2 * part * (c2 * (c * third + 3 * d * second) + d2 * d)
    return variance, squares, cubes
