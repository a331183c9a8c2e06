"""One curve from several budgets, and the figures that are published of such curves.

* `cost_at_95`: what 95 % of the best single model's quality costs, as a fraction of that model's cost.
* `aiq`: the average of the quality over all costs between the cheapest and the dearest model (RouterBench,
  arXiv 2403.12031, section 3: the area under the non-decreasing convex hull over the range of costs).
* `cpt50`, `cpt80`, `apgr`: for a weak and a strong model (RouteLLM, arXiv 2406.18665, section 2.2). The performance gap
  recovered is the quality's place between the weak model's (0) and the strong one's (1); CPT is the least percentage of
  calls to the strong model that recovers half or 80 % of it, APGR the mean of it over all percentages. The curve is the
  line through the points by their share of strong calls, from the weak model at none to the strong one at all of them.

The first two are of the upper hull of the points and the cheapest model: between two budgets one can draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from tiercel.core.hull import Hull, Point, area
from tiercel.core.replay.baselines import hull_of_table
from tiercel.core.replay.table import OutcomeTable
from tiercel.domain.errors import InvalidInput

GOOD_PART = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFigures:
    """The figures of the module's docstring.

    `cost_at_95` is None where the curve does not reach so far; those of RouteLLM are None for other than two models,
    and where the dearer one is not the better.
    """

    cost_at_95: float | None
    aiq: float | None
    cpt50: float | None = None
    cpt80: float | None = None
    apgr: float | None = None


def budgets(table: OutcomeTable, count: int) -> tuple[float, ...]:
    """`count` budgets in USD per request, from the cheapest model's mean cost to the dearest's, evenly by logarithm.

    For two models evenly by the share of calls to the dearer one that they would pay for, without none and all: at
    those ends of a curve of shares every policy is one of the models. Raises `InvalidInput` for fewer than 1 and for a
    table without costs.
    """
    costs = [model.cost_usd for model in table.figures()]
    low, high = costs[0], costs[-1]
    if low is None or high is None:
        raise InvalidInput("a frontier needs costs, which this table does not have")
    if count < 1:
        raise InvalidInput(f"a frontier needs at least 1 budget, not {count}")
    if len(costs) == 2:
        return tuple(low + (high - low) * i / (count + 1) for i in range(1, count + 1))
    if low <= 0:
        raise InvalidInput("a frontier's budgets are spaced by logarithm, and the cheapest model costs nothing")
    if count == 1:
        return (math.sqrt(low * high),)
    return tuple(low * (high / low) ** (i / (count - 1)) for i in range(count))


def curve_figures(
    table: OutcomeTable, points: Sequence[Point], strong_shares: Sequence[float] | None = None
) -> CurveFigures:
    """The figures of a policy that got to `points`, with those shares of calls (0..1) to the dearer of two models."""
    figures = table.figures()
    costs = [model.cost_usd for model in figures if model.cost_usd is not None]
    best = max(figures, key=lambda model: model.quality)
    if not costs or best.cost_usd is None:
        return CurveFigures(cost_at_95=None, aiq=None)
    hull = Hull.of([*points, Point(costs[0], figures[0].quality)])
    at_95 = hull.cost_at(GOOD_PART * best.quality)
    shares = _share_figures(table, points, strong_shares) if strong_shares else {}
    return CurveFigures(
        cost_at_95=None if at_95 is None or not best.cost_usd else at_95 / best.cost_usd,
        aiq=hull.mean_quality(costs[0], costs[-1]) if costs[-1] > costs[0] else None,
        **shares,
    )


def hull_figures(table: OutcomeTable) -> CurveFigures:
    """The same figures of the fixed mixes, to compare with."""
    hull = hull_of_table(table)
    points = list(hull.vertices) if hull else []
    return curve_figures(table, points, [0.0, 1.0] if len(points) == len(table.models) == 2 else None)


def _share_figures(table: OutcomeTable, points: Sequence[Point], shares: Sequence[float]) -> dict[str, float]:
    figures = table.figures()
    if len(figures) != 2 or figures[1].quality <= figures[0].quality:
        return {}
    weak, strong = figures[0].quality, figures[1].quality
    at: dict[float, list[float]] = {0.0: [0.0], 1.0: [1.0]}
    for share, point in zip(shares, points, strict=True):
        if 0 < share < 1:
            at.setdefault(share, []).append((point.quality - weak) / (strong - weak))
    line = [(share, fmean(recovered)) for share, recovered in sorted(at.items())]
    return {"cpt50": 100 * _reaches(line, 0.5), "cpt80": 100 * _reaches(line, 0.8), "apgr": area(line)}


def _reaches(line: Sequence[tuple[float, float]], recovered: float) -> float:
    """The least share at which the line reaches so much; its end reaches all."""
    for (x0, y0), (x1, y1) in pairwise(line):
        if recovered <= y1:
            return x0 + (x1 - x0) * (recovered - y0) / (y1 - y0)
    return line[-1][0]
