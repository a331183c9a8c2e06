"""Whether a log can answer for a target policy at all, and how much more of it would.

The gate: an effective sample size of at least `FEWEST_EFFECTIVE` (Kong, "A note on importance sampling using
standardized weights", 1992: (sum w)^2 / sum w^2), a mean weight within `MOST_ERRORS` standard errors of 1, no weight
above `LARGEST_SHARE` of their sum, and no model that the target may choose and the log never could.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, fsum, sqrt

from tiercel.core.estimators.rows import Weighted

FEWEST_EFFECTIVE = 100.0
MOST_ERRORS = 2.5
LARGEST_SHARE = 0.05
FLOORS = (0.05, 0.1, 0.2, 0.5)
USUAL_FLOOR = 0.2
_MARGIN = 1.2
"""What is advised aims a fifth higher than the gate: what will be drawn is a matter of chance."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Advice:
    """About how many more judged requests would do, a share `floor` of each being spread evenly over its models."""

    judged_requests: int
    floor: float

    def __str__(self) -> str:
        return f"about {self.judged_requests:,} more judged requests at floor {self.floor:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How well a log covers what a target policy does.

    `effective_rows` is how many rows of the target's own the weighted ones are worth. `mean_weight` should be 1.
    `largest_share` is the largest weight's share of their sum. `unsupported` is the probability (0..1) that the target
    chooses a model which the log could not have chosen, and `unsupported_models` are those. `reasons` say why nothing
    may be concluded; without one the gate is open. `advice` is None where it is, and where more of the same log would
    not help.
    """

    rows: int
    effective_rows: float
    mean_weight: float
    mean_weight_error: float
    largest_share: float
    unsupported: float
    unsupported_models: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    advice: Advice | None = None

    @property
    def enough(self) -> bool:
        """Whether the gate is open."""
        return not self.reasons


def overlap(sample: Weighted) -> Overlap:
    """The gate's figures, and its verdict."""
    count = len(sample.rows)
    total, squares = fsum(sample.weights), fsum(weight * weight for weight in sample.weights)
    mean, error = _mean_weight(sample, total)
    largest = max(sample.weights, default=0.0)
    unsupported, models = _unsupported(sample)
    effective = total * total / squares if squares > 0.0 else 0.0
    share = largest / total if total > 0.0 else 0.0
    reasons = [] if count else ["no decision of the log that could be valued was rated"]
    if models:
        named = ", ".join(models)
        reasons.append(f"the log never chooses {named} where the target would, in {unsupported:.2%} of requests")
    if effective < FEWEST_EFFECTIVE:
        reasons.append(f"the weighted rows are worth {effective:.0f}, and {FEWEST_EFFECTIVE:.0f} are needed")
    if share > LARGEST_SHARE:
        reasons.append(f"one row carries {share:.0%} of the weight, and at most {LARGEST_SHARE:.0%} may be")
    lacking = bool(reasons)
    if not models and abs(mean - 1.0) > MOST_ERRORS * error + _ROUNDING:
        reasons.append(
            f"the mean weight is {mean:.3f} and should be 1 within {MOST_ERRORS:g} x {error:.3f}: too few rows of what "
            "the target does, or probabilities that are not those the models were drawn with"
        )
    return Overlap(
        rows=count,
        effective_rows=effective,
        mean_weight=mean,
        mean_weight_error=error,
        largest_share=share,
        unsupported=unsupported,
        unsupported_models=models,
        reasons=tuple(reasons),
        advice=advice(sample, usable=not models) if lacking and count else None,
    )


def advice(sample: Weighted, *, usable: bool) -> Advice:
    """How many more judged requests would open the gate, and with what floor.

    With a floor e every request is decided with p' = (1 - e) p + e / K over its K models. On the contexts of the log a
    new row's weight then has the mean 1, the mean square M = mean(sum_a pi_a^2 / p'_a) and at most the largest pi / p':
    known from the distributions alone, whatever was drawn. N is the least number of new rows with which, beside those
    there are (`usable`: the log has support), effective size, largest share and mean weight come right. Of `FLOORS` (or
    the floor that the log has, where it is higher) the lowest is advised whose N is at most the rows there are, which
    is no longer a wait than so far; else `USUAL_FLOOR`. N is rounded up to two digits.
    """
    own = _own_floor(sample)
    floors = [max(e, own) for e in FLOORS]
    needed = {e: _needed(sample, e, usable=usable) for e in floors}
    chosen = next((e for e in floors if needed[e] <= len(sample.rows)), max(USUAL_FLOOR, own))
    return Advice(_rounded_up(needed[chosen]), chosen)


def _own_floor(sample: Weighted) -> float:
    """The floor that every decision of the log had, rounded down to a hundredth."""
    least = min(len(row.models) * min(row.logged) for row in sample.rows)
    return floor(100 * (least + _ROUNDING)) / 100


def _needed(sample: Weighted, floor_share: float, *, usable: bool) -> int:
    square, largest = _weights_at(sample, floor_share)
    total, squares = 0.0, 0.0
    if usable:
        total, squares = fsum(sample.weights), fsum(weight * weight for weight in sample.weights)
        largest = max(largest, *sample.weights)
    # (total + N)^2 >= _MARGIN FEWEST_EFFECTIVE (squares + N square), solved for N
    half = total - _MARGIN * FEWEST_EFFECTIVE * square / 2
    rest = total * total - _MARGIN * FEWEST_EFFECTIVE * squares
    root = half * half - rest
    by_size = sqrt(root) - half if root > 0.0 else 0.0
    by_share = _MARGIN * largest / LARGEST_SHARE - total
    return max(1, ceil(max(by_size, by_share, _to_mean(sample, square) if usable else 0.0)))


def _to_mean(sample: Weighted, square: float) -> float:
    """With how many new rows of that mean square the mean weight is likely within its bounds.

    The weights there are may lack much by bad luck: n (1 - mean) must be within 2 of sqrt(n var + N (square - 1)).
    """
    count = len(sample.rows)
    mean, error = _mean_weight(sample, fsum(sample.weights))
    lacking = (count * (1.0 - mean) / 2.0) ** 2 - (count * error) ** 2
    return lacking / (square - 1.0) if lacking > 0.0 and square > 1.0 else 0.0


def _weights_at(sample: Weighted, floor_share: float) -> tuple[float, float]:
    """The mean square of the weights, and the largest of them, had the log had that floor."""
    squares, largest = [], 0.0
    for row, share, target in zip(sample.rows, sample.shares, sample.target, strict=True):
        even = floor_share / len(row.models)
        for pi, p in zip(target, row.logged, strict=True):
            if pi > 0.0:
                ratio = share * pi / ((1.0 - floor_share) * p + even)
                squares.append(share * pi * ratio)
                largest = max(largest, ratio)
    return fsum(squares) / len(sample.rows), largest


def _mean_weight(sample: Weighted, total: float) -> tuple[float, float]:
    """The mean weight, and its standard error as a ratio of two means."""
    count = len(sample.rows)
    if count < 2:
        return (total / count if count else 0.0), 0.0
    mean = total / count
    apart = [weight - share * mean for weight, share in zip(sample.weights, sample.shares, strict=True)]
    return mean, sqrt(fsum(x * x for x in apart) / (count * (count - 1)))


def _unsupported(sample: Weighted) -> tuple[float, tuple[str, ...]]:
    masses: dict[str, float] = {}
    for row, share, target in zip(sample.rows, sample.shares, sample.target, strict=True):
        for model, pi, p in zip(row.models, target, row.logged, strict=True):
            if pi > 0.0 and p <= 0.0:
                masses[model] = masses.get(model, 0.0) + share * pi
    return (fsum(masses.values()) / len(sample.rows) if masses else 0.0), tuple(sorted(masses))


def _rounded_up(number: int) -> int:
    step = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // step) * step
