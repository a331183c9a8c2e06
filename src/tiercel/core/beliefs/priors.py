"""How much the effects of quality.py differ before anything is known, and beliefs as normal distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


def raised(prior_mean: float, offset: float) -> float:
    """A prior mean moved by `offset` on the logit scale: what is near 1 has little room above it."""
    odds = prior_mean / (1.0 - prior_mean) * math.exp(offset)
    return odds / (1.0 + odds)


UNKNOWN = 0.6
"""The prior mean of a model that nothing is known of."""


class Expectation(NamedTuple):
    """A normal belief, in quality points."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Priors:
    """Variances of the effects, in squared quality points (`offset`: on the logit scale).

    Those of `model_segment` and `model_shape` are learned, and count as if so many `effects` had said so. `noise` is
    what a single rating's variance is taken for at first.
    """

    offset: float = 1.0**2
    model: float = 0.10**2
    segment: float = 0.15**2
    shape: float = 0.06**2
    model_segment: float = 0.06**2
    model_shape: float = 0.03**2
    slope: float = 0.045**2
    noise: float = 0.12
    noise_counts: float = 10.0
    least_noise: float = 0.005
    effects: float = 10.0
    rounds: int = 4
