"""How much single ratings scatter: the more, the further a model is from always good and always bad.

A quality in 0..1 with mean m varies by at most m (1 - m), and pass or fail by exactly that; so the variance is taken as
dispersion * m (1 - m), with one dispersion for all (McCullagh, Nelder: "Generalized linear models", 1989, section 4.5).
A model that is nearly always good is judged by few ratings, an erratic one is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from tiercel.core.beliefs.evidence import Evidence
from tiercel.core.beliefs.priors import Priors

_NEAREST = 0.03
"""Nobody is believed to be nearer to always good, or always bad, than this."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The dispersion, and the variance of an ordinary rating."""

    dispersion: float
    usual: float
    least: float

    def at(self, mean: float) -> float:
        """The variance of one rating of a model that good."""
        return max(self.least, self.dispersion * _spread(mean))


def noise_of(evidence: Evidence, priors: Priors) -> Noise:
    """Pooled over models and kinds, and shrunk to `Priors.noise` as if that had been seen of some ratings."""
    means = evidence.means()
    squares, possible = priors.noise * priors.noise_counts, 0.25 * priors.noise_counts
    freedom = priors.noise_counts
    within = evidence.squares
    for of_models in evidence.kinds.values():
        for model, ratings in of_models.items():
            if ratings.n > 0:
                within -= ratings.r * ratings.r / ratings.n
                beyond_first = max(0.0, ratings.n - 1.0)
                possible += beyond_first * _spread(means[model])
                freedom += beyond_first
    squares += max(0.0, within)
    return Noise(squares / possible, max(priors.least_noise, squares / freedom), priors.least_noise)


def _spread(mean: float) -> float:
    within = min(max(mean, _NEAREST), 1.0 - _NEAREST)
    return within * (1.0 - within)
