"""DR: the reward model everywhere, corrected by weighted residuals where there was a choice like the target's.

    V = mean( sum_a pi_a q_a + (pi/p) (r - q) )

with q cross-fitted. It is right if the probabilities are, whatever the model; a good model makes the residuals, and so
the interval, smaller. Source: Dudik, Langford and Li, "Doubly robust policy evaluation and learning", 2011, equation 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.core.estimators.intervals import Bounds, Estimate, Terms, estimate, residual_moments
from tiercel.core.estimators.reward_model import cross_fitted
from tiercel.core.estimators.rows import Probabilities, Weighted

SWITCH_AT = 10.0
"""The ratio pi / p beyond which SWITCH-DR trusts the model instead of the weight."""


class DoublyRobust:
    """The DR estimates of one column of rewards; the reward model is fitted once for all of them."""

    def __init__(self, sample: Weighted, rewards: Sequence[float], *, bounds: Bounds | None = None) -> None:
        self._sample = sample
        self._bounds = bounds
        self._rewards = rewards
        self._model = cross_fitted(sample.rows, rewards)
        self._residuals = [
            reward - expected[row.chosen]
            for row, reward, expected in zip(sample.rows, rewards, self._model, strict=True)
        ]

    def value(self) -> Estimate:
        """What the target policy achieves."""
        return self._estimate(self._sample.target, self._sample.ratios)

    def difference(self) -> Estimate:
        """What the target policy achieves beyond the logged one, row by row: 0 where both do the same."""
        pairs = zip(self._sample.rows, self._sample.target, strict=True)
        apart = [tuple(pi - p for pi, p in zip(target, row.logged, strict=True)) for row, target in pairs]
        return self._estimate(apart, [tuple(ratio - 1.0 for ratio in ratios) for ratios in self._sample.ratios])

    def switched(self) -> Estimate:
        """SWITCH-DR: as `value` without the residuals whose ratio is above `SWITCH_AT`.

        A large distance from `value` says that the answer hangs on a few heavy rows. Its interval says nothing of the
        model's bias, so it is a line of sensitivity and no estimate to quote.
        Source: Wang, Agarwal and Dudik, "Optimal and adaptive off-policy evaluation in contextual bandits", 2017.
        """
        kept = [tuple(ratio if ratio <= SWITCH_AT else 0.0 for ratio in ratios) for ratios in self._sample.ratios]
        return self._estimate(self._sample.target, kept)

    def _estimate(self, part: Sequence[Probabilities], coefficients: Sequence[Sequence[float]]) -> Estimate:
        """The mean of sum_a part_a q_a + c (r - q)."""
        sample = self._sample
        modelled = [
            sum(pi * q for pi, q in zip(wanted, expected, strict=True))
            for wanted, expected in zip(part, self._model, strict=True)
        ]
        corrected = [
            base + coefficient[row.chosen] * residual
            for base, coefficient, row, residual in zip(
                modelled, coefficients, sample.rows, self._residuals, strict=True
            )
        ]
        value = sample.mean(corrected)
        offsets = [(base - value,) * len(c) for base, c in zip(modelled, coefficients, strict=True)]
        moments = residual_moments(sample.rows, self._residuals, mean=sample.mean(self._rewards), bounds=self._bounds)
        return estimate(value, sample.rows, Terms(sample.shares, self._residuals, coefficients, offsets), moments)
