"""How much of the traffic tries what is not believed best: the probability that it is best after all, made small.

Thompson sampling (Biometrika 25, 1933) draws a model with the probability that it is the best. Here that probability is
computed, for each model against the believed best one, from beliefs narrowed to `temperature` of their width; so it is
known exactly, it is logged, and it vanishes by itself as the evidence grows. A floor, shared by the models in
proportion to how little is known of them and how cheap they are, keeps every model's figures alive: one that was bad
and is mended is found out. What trying dearer models may cost is bounded by what a budget has to spare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tiercel.core.policies.outlook import Prospect

_SQRT2 = math.sqrt(2.0)
_LEAST_FLOOR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorationSettings:
    """`most` is the largest share of one model that is not believed best; `floor` that of all together at least.

    A newcomer is tried with `trial` of the traffic while it could be better by `trial_width` standard deviations; so is
    any model without ratings where there is no budget. (Where there is one, what it has to spare says what is tried.)
    A model that became worse is tried with `retrial`: it may be mended.
    """

    temperature: float = 0.15
    most: float = 0.2
    floor: float = 0.005
    trial: float = 0.1
    trial_width: float = 1.5
    retrial: float = 0.03


def explore(
    prospects: Sequence[Prospect],
    utilities: Sequence[float],
    best: int,
    settings: ExplorationSettings,
    spare_usd: float | None,
    *,
    seek_best: bool = False,
) -> list[float]:
    """The probability of each model; `best` is the index of the one believed best. About 1 us each.

    A utility of -inf gives no probability at all. Where there is a budget, trying dearer models may spend `spare_usd` a
    request. `seek_best`: the goal depends on how good the best model is, so one that could be is tried at any price.
    """
    shares = [0.0] * len(prospects)
    greedy, highest = prospects[best], utilities[best]
    open_to = [i for i, u in enumerate(utilities) if i != best and u > -math.inf]
    if not open_to:
        shares[best] = 1.0
        return shares
    finest = max([prospects[i].quality for i in (*open_to, best)]) if seek_best else 0.0
    floor = settings.floor / sum([prospects[i].deviation ** 2 for i in open_to])
    sharpness = 1.0 / (settings.temperature * _SQRT2)
    floors: list[float] = []
    dearer: list[int] = []
    spent = 0.0
    for i in open_to:
        prospect, gap = prospects[i], highest - utilities[i]
        share = min(settings.most, 0.5 * math.erfc(gap / math.hypot(prospect.deviation, greedy.deviation) * sharpness))
        if prospect.newcomer or prospect.unproven or prospect.fallen:
            short = min(gap, finest - prospect.quality) if seek_best else gap
            share = max(share, _trial(prospect, greedy, short, settings, bounded=spare_usd is not None))
        shares[i] = share
        least = floor * prospect.deviation**2
        extra = prospect.cost_usd - greedy.cost_usd
        if extra > 0:
            # however dear, a part of its floor remains
            least *= max(_LEAST_FLOOR, greedy.cost_usd / prospect.cost_usd)
            if gap > 0:
                dearer.append(i)
                spent += share * extra
        floors.append(least)
    if spare_usd is not None and spent > spare_usd:
        for i in dearer:
            shares[i] *= spare_usd / spent
    for i, least in zip(open_to, floors, strict=True):
        shares[i] += least
    total = sum(shares)
    if total > 0.5:
        shares = [0.5 * share / total for share in shares]
        total = 0.5
    shares[best] = 1.0 - total
    return shares


def _trial(
    prospect: Prospect, greedy: Prospect, short: float, settings: ExplorationSettings, *, bounded: bool
) -> float:
    """The least share of a model so much `short` of what it has to be; `bounded`: a budget says what is tried."""
    on_trial = prospect.newcomer or (prospect.unproven and not bounded)
    if on_trial and short < settings.trial_width * math.hypot(prospect.deviation, greedy.deviation):
        return max(settings.trial, settings.retrial if prospect.fallen else 0.0)
    return settings.retrial if prospect.fallen else 0.0
