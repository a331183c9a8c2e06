"""`thompson`: every model with the probability that it is the best, all of it.

Thompson: "On the likelihood that one unknown probability exceeds another" (Biometrika 25, 1933). The probability is
computed instead of drawn from: with normal beliefs it is the integral of one density times the others' distribution
functions, by quadrature; whatever its error, what is logged is what is drawn from. It explores more than `contextual`,
on all traffic: the policy to choose where every answer is rated, or a log is wanted to value other policies by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from tiercel.core.policies.contextual import ContextualPolicy, ContextualSettings
from tiercel.core.policies.outlook import Prospect

_SQRT2 = math.sqrt(2.0)
_NODES = 24
_WIDTH = 4.0
_GRID = tuple(-_WIDTH + 2 * _WIDTH * (i + 0.5) / _NODES for i in range(_NODES))
_WEIGHTS = tuple(math.exp(-0.5 * x * x) for x in _GRID)


class ThompsonPolicy(ContextualPolicy):
    """Draws every model as often as it may be the best."""

    name: ClassVar[str] = "thompson"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "every model as often as it may be the best: learns faster, costs more"
    temperature: ClassVar[float] = 0.5

    def __init__(self, settings: ContextualSettings | None = None) -> None:
        # what is not known is tried here, not shunned
        super().__init__(replace(settings or ContextualSettings(), caution=0.0))

    def shares(self, prospects: Sequence[Prospect], utilities: Sequence[float], best: int) -> list[float]:
        """The probability of each model that its utility is the highest; about 10 us per model."""
        spreads = [self.temperature * p.deviation for p in prospects]
        own = [
            0.0 if utility == -math.inf else _chance_of_best(i, utilities, spreads)
            for i, utility in enumerate(utilities)
        ]
        spare_usd, dearer = self.pacer.spare(), prospects[best].cost_usd
        if spare_usd is not None:
            own = [
                share * min(1.0, spare_usd / (p.cost_usd - dearer)) if p.cost_usd > dearer else share
                for share, p in zip(own, prospects, strict=True)
            ]
        own[best] = 0.0
        total = sum(own)
        if total > 0.5:
            own = [0.5 * share / total for share in own]
            total = 0.5
        own[best] = 1.0 - total
        return own


def _chance_of_best(index: int, means: Sequence[float], spreads: Sequence[float]) -> float:
    """P(x_index > all others) for independent normals, by the midpoint rule over its own density."""
    total = 0.0
    for node, weight in zip(_GRID, _WEIGHTS, strict=True):
        value = means[index] + spreads[index] * node
        chance = weight
        for other, (mean, spread) in enumerate(zip(means, spreads, strict=True)):
            if other != index and mean > -math.inf:
                chance *= 0.5 * math.erfc((mean - value) / (max(spread, 1e-9) * _SQRT2))
        total += chance
    return total / sum(_WEIGHTS)
