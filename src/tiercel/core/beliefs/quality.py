"""What quality to expect of a model for a request: hierarchical Bayes over models, segments and shapes of prompt.

With a for the model, s for the segment, h for the shape of the prompt, z for its other figures:

    rating = alpha_a + beta_a z + w_s + w_sh + delta_as + delta_ash + noise

    alpha_a  ~ N(q0_a raised by o, V)   a model in general; o, how much better all are than the catalogue says
    beta_a   ~ N(beta, V_beta)          how it takes long prompts, numbers ...; beta is common to all models
    w_s, w_sh                           how hard the segment, and this shape within it, is for everyone
    delta_as, delta_ash                 what this model is better or worse at than it is in general

So a model nobody tried on a segment inherits how hard the segment is from the others, and a shape seen once inherits
from its segment. The posterior is computed from the moments alone (core/statistics/moments.py), whatever the order they
came in: effects by turns (backfit.py), slopes by ridge regression within shapes. Means converge to those of the joint
Gaussian with these slopes; variances are those of one model's ratings added to what is known without them, the effects
taken for independent. Gelman, Hill: "Data analysis using regression and multilevel models" (2007), chapter 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tiercel.core.beliefs.backfit import Backfit
from tiercel.core.beliefs.evidence import Evidence, Kind, Ratings
from tiercel.core.beliefs.linear import dot, outer, solve
from tiercel.core.beliefs.noise import noise_of
from tiercel.core.beliefs.priors import Expectation, Priors

_ROUGH_ROUNDS = 2


class QualityBeliefs:
    """The posterior given some evidence. Immutable once made; `expect` is cheap.

    `prior_mean` is q0 of each model (0..1) from the catalogue; models without ratings may be among them.
    """

    def __init__(self, evidence: Evidence, prior_mean: Mapping[str, float], priors: Priors) -> None:
        self.priors = priors
        self._prior_mean = prior_mean
        self.noise = noise_of(evidence, priors)
        self.models = sorted(evidence.models | prior_mean.keys())
        self.slopes: dict[str, tuple[float, ...]] = dict.fromkeys(self.models, (0.0,) * evidence.size)
        if evidence.size:
            # slopes are found within kinds: roughly how hard those are will do for that
            self._effects = self._fit(evidence, min(_ROUGH_ROUNDS, priors.rounds))
            self.slopes = self._regress(evidence)
        self._effects = self._fit(evidence, priors.rounds)

    def expect(self, kind: Kind, model: str, ratings: Ratings | None) -> Expectation:
        """The quality of `model` on requests of `kind` with all figures at 0, given its ratings there (None: none)."""
        mean, variance = self._effects.before(kind, model)
        if ratings is None or ratings.n <= 0:
            return Expectation(mean, variance)
        # the mean before is what gives the fitted one once the ratings are added, and may lie outside 0..1
        noise = self.noise.at(self._effects.common(kind, model))
        precision = 1.0 / variance + ratings.n / noise
        total = ratings.r - dot(self.slope(model), ratings.z)
        return Expectation((mean / variance + total / noise) / precision, 1.0 / precision)

    def slope(self, model: str) -> tuple[float, ...]:
        """How the model's quality changes with each figure."""
        return self.slopes.get(model, ())

    def _regress(self, evidence: Evidence) -> dict[str, tuple[float, ...]]:
        """Slopes by ridge regression within kinds, first common to all models, then each model's own."""
        priors = self.priors
        usual = self.noise.usual
        kappa = usual / (self._effects.model_segment + self._effects.model_shape)
        ridge = usual / priors.slope
        matrices: dict[str, list[float]] = {}
        rights: dict[str, list[float]] = {}
        nothing = [0.0] * (evidence.size * (evidence.size + 1) // 2)
        for model in evidence.models:
            matrices[model] = list(evidence.products.get(model, nothing))
            rights[model] = [0.0] * evidence.size
        for kind, of_models in evidence.kinds.items():
            for model, ratings in of_models.items():
                mean = self._effects.common(kind, model)
                within = 1.0 / (ratings.n + kappa)
                centre = mean + (ratings.r - ratings.n * mean) * within
                right = rights[model]
                rights[model] = [
                    total + rz - centre * z for total, rz, z in zip(right, ratings.rz, ratings.z, strict=True)
                ]
                square = outer(ratings.z)
                matrices[model] = [a - within * b for a, b in zip(matrices[model], square, strict=True)]
        if not matrices:
            return dict.fromkeys(self.models, (0.0,) * evidence.size)
        common = solve(_sum(matrices.values()), _sum(rights.values()), ridge)
        slopes = dict.fromkeys(self.models, tuple(common))
        for model, matrix in matrices.items():
            right = [value + ridge * shared for value, shared in zip(rights[model], common, strict=True)]
            slopes[model] = tuple(solve(matrix, right, ridge))
        return slopes

    def _fit(self, evidence: Evidence, rounds: int) -> Backfit:
        return Backfit(evidence, self.slopes, self._prior_mean, self.priors, self.noise, rounds=rounds)


def _sum(vectors: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*vectors, strict=True)]
