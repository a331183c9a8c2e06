"""IPS and SNIPS: the rewards that were seen, each weighted by how much likelier the target is to choose so.

w is the weight of a row (rows.py), scaled so that its mean is 1 where log and target overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from tiercel.core.estimators.intervals import Bounds, Estimate, Terms, estimate, residual_moments
from tiercel.core.estimators.rows import Weighted


def ips(sample: Weighted, rewards: Sequence[float], *, bounds: Bounds | None = None) -> Estimate:
    """V = mean(w r): right on average, whatever the rewards, and restless.

    Source: Horvitz and Thompson, 1952; for policies Strehl et al., "Learning from logged implicit exploration data",
    2010.
    """
    value = fsum(weight * reward for weight, reward in zip(sample.weights, rewards, strict=True)) / len(rewards)
    # w r = V + w (r - V) + (w - 1) V
    offsets = [tuple((ratio - 1.0) * value for ratio in ratios) for ratios in sample.ratios]
    residuals = [reward - value for reward in rewards]
    terms = Terms(sample.shares, residuals, sample.ratios, offsets)
    return estimate(value, sample.rows, terms, residual_moments(sample.rows, residuals, mean=value, bounds=bounds))


def snips(sample: Weighted, rewards: Sequence[float], *, bounds: Bounds | None = None) -> Estimate:
    """V = sum(w r) / sum(w): between the lowest and the highest reward, and moved by as much as all rewards are.

    Its terms are those of the ratio's linearisation, w (r - V) / mean(w). Needs a positive weight.
    Source: Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", 2015.
    """
    total = fsum(sample.weights)
    value = fsum(weight * reward for weight, reward in zip(sample.weights, rewards, strict=True)) / total
    mean_weight = total / len(rewards)
    coefficients = [tuple(ratio / mean_weight for ratio in ratios) for ratios in sample.ratios]
    residuals = [reward - value for reward in rewards]
    terms = Terms(sample.shares, residuals, coefficients, [(0.0,) * len(c) for c in coefficients])
    return estimate(value, sample.rows, terms, residual_moments(sample.rows, residuals, mean=value, bounds=bounds))
