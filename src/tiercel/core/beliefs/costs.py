"""What one call is expected to cost: the tokens such calls took, at today's prices.

A model without calls of a kind takes what its price says of an ordinary answer, times how much dearer or cheaper than
usual that kind turned out with the models that were tried. Where the log knows costs and no tokens, costs are learned.
What was learned before a drift of a model's costs counts little (forgetting.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiercel.core.beliefs.evidence import Kind
from tiercel.core.beliefs.forgetting import ticks
from tiercel.core.statistics.fold import segment_of, usage_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.usage import COMPLETION, COST, COSTED, HALF_LIFE_S, PROMPT, TOKENED, Usage
from tiercel.domain.catalogue import ModelProfile

PSEUDO_CALLS = 5.0
"""So many calls of a kind count as much as what is known of the model in general."""
USUAL_PROMPT_TOKENS, USUAL_COMPLETION_TOKENS = 500, 300
"""What a call is taken for before there was one."""
_LEAST = 1e-12


class _Spent(NamedTuple):
    calls: float
    cost_usd: float


_NOTHING = _Spent(0.0, 0.0)
_UNUSED = Usage()


class CostBeliefs:
    """Expected costs given all usage at one moment; the usage of the kind asked for is read when asked."""

    def __init__(self, knowledge: Knowledge, basis: str, now_us: int) -> None:
        self._now = now_us / (HALF_LIFE_S * 1e6)
        self._basis = basis
        self._totals: dict[str, list[float]] = {}
        for key, usage in knowledge.all_usage():
            if key[-1] in (basis, ""):
                sums = self._faded(usage, usage.total, ticks(knowledge, segment_of(key) or (), key[-2]))
                held = self._totals.get(key[-2])
                self._totals[key[-2]] = sums if held is None else [a + b for a, b in zip(held, sums, strict=True)]

    def expect(self, kind: Kind, models: Sequence[ModelProfile], knowledge: Knowledge) -> list[float]:
        """The cost in USD of one call of `kind` to each of `models`; about 8 us each.

        A model of which neither price nor cost is known is taken for as dear as the dearest.
        """
        segment, shape = kind
        usual = [self._usual(model) for model in models]
        elsewhere, here = [], []
        for model in models:
            usage = knowledge.usage(usage_key(segment, model.model_id, self._basis)) or _UNUSED
            own, aged = usage.of(shape), ticks(knowledge, segment, model.model_id)
            here.append(_spent(model, self._faded(usage, own, aged)))
            # the other shapes of the segment, so that nothing counts twice; rounding, or a call counted in the shape
            # and not yet in the total, must not leave less than nothing
            others = [max(0.0, everything - its) for everything, its in zip(usage.total, own, strict=True)]
            elsewhere.append(_spent(model, self._faded(usage, others, aged)))
        known = _narrowed(_narrowed(usual, elsewhere), here)
        dearest = max((cost for cost in known if cost is not None), default=0.0)
        return [dearest if cost is None else cost for cost in known]

    def _usual(self, model: ModelProfile) -> float | None:
        """The model's mean cost over everything, shrunk to what its price says."""
        sums = self._totals.get(model.model_id)
        spent = _spent(model, sums) if sums else _NOTHING
        if model.price is None:
            return spent.cost_usd / spent.calls if spent.calls > 0 else None
        first = model.price.cost_usd(USUAL_PROMPT_TOKENS, USUAL_COMPLETION_TOKENS)
        return (spent.cost_usd + PSEUDO_CALLS * first) / (spent.calls + PSEUDO_CALLS)

    def _faded(self, usage: Usage, sums: Sequence[float], aged: float) -> list[float]:
        factor = 2.0 ** min(usage.landmark - self._now - aged, 64.0)
        return [factor * value for value in sums]


def _narrowed(usual: Sequence[float | None], here: Sequence[_Spent]) -> list[float | None]:
    """Each model's usual cost, times how much dearer it is here for all, moved to what its own calls took here."""
    spent, calls = PSEUDO_CALLS, PSEUDO_CALLS
    for mean, own in zip(usual, here, strict=True):
        # what costs nothing says nothing of how dear this kind is
        if mean is not None and mean > _LEAST:
            spent += own.cost_usd / mean
            calls += own.calls
    factor = spent / calls
    return [
        None if mean is None else (own.cost_usd + PSEUDO_CALLS * mean * factor) / (own.calls + PSEUDO_CALLS)
        for mean, own in zip(usual, here, strict=True)
    ]


def _spent(model: ModelProfile, sums: Sequence[float]) -> _Spent:
    """How many calls, and what they would cost today."""
    if model.price is not None and sums[TOKENED] > 0:
        price = model.price
        return _Spent(sums[TOKENED], (price.input * sums[PROMPT] + price.output * sums[COMPLETION]) / 1e6)
    return _Spent(sums[COSTED], sums[COST])
