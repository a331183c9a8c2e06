"""The choices without learning: exact over a table, with no draws and no repeats, and without any scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum

from tiercel.core.hull import Hull, Point
from tiercel.core.replay.figures import Interval, Result
from tiercel.core.replay.table import ModelFigures, OutcomeTable, Query, Recorded

Weights = tuple[float, ...]
"""With what probability each model is chosen."""


def baselines(
    table: OutcomeTable,
    *,
    budget_usd: float | None = None,
    target_quality: float | None = None,
    prior: OutcomeTable | None = None,
) -> dict[str, Result]:
    """What every choice without learning comes to on `table`.

    random: each model alike; cheapest: the model of the least mean cost; best_single: the one of the best mean quality;
    best_per_task: the best for each task, in hindsight; oracle: the best for each query, of several the cheapest. With
    `prior`, another table of the same models, prior_static_mix: the mix that is best there for the budget or target.
    """
    figures, count = table.figures(), len(table.models)
    choices: dict[str, Callable[[Query], Weights]] = {
        "random": _always((1 / count,) * count),
        "best_single": _always(_only(_best(figures), count)),
        "cheapest": _always(_only(0, count)),
        "best_per_task": _per_task(table),
        "oracle": lambda query: _only(_best_of(query.recorded), count),
    }
    if prior is not None and table.has_costs and prior.has_costs:
        weights = mix_of(prior.figures(), budget_usd=budget_usd, target_quality=target_quality)
        choices["prior_static_mix"] = _always(weights)
    return {name: expected(table, weights_of, budget_usd=budget_usd) for name, weights_of in choices.items()}


def hull_of_table(table: OutcomeTable) -> Hull | None:
    """The hindsight hull of a table's models; None without costs."""
    points = [Point(m.cost_usd, m.quality) for m in table.figures() if m.cost_usd is not None]
    return Hull.of(points) if points else None


def expected(table: OutcomeTable, weights_of: Callable[[Query], Weights], *, budget_usd: float | None = None) -> Result:
    """What choosing each query's model with these probabilities comes to in expectation."""
    weighted = [(query, weights_of(query)) for query in table.queries]
    count = len(weighted)
    quality = fsum(_mean(query, weights, _quality) for query, weights in weighted) / count
    cost_usd = latency_ms = None
    figures = table.figures()
    if all(model.cost_usd is not None for model in figures):
        cost_usd = fsum(_mean(query, weights, _cost) for query, weights in weighted) / count
    if all(model.latency_ms is not None for model in figures):
        latency_ms = fsum(_mean(query, weights, _latency) for query, weights in weighted) / count
    best = fsum(max(r.quality for r in query.recorded) for query in table.queries)
    hull = hull_of_table(table)
    gain = None if hull is None or cost_usd is None else quality - hull.quality_at(cost_usd)
    return Result(
        quality=quality,
        cost_usd=cost_usd,
        latency_ms=latency_ms,
        regret=best - quality * count,
        share={m: fsum(weights[i] for _, weights in weighted) / count for i, m in enumerate(table.models)},
        quality_ci=(quality, quality),
        cost_ci=_point(cost_usd),
        gain_over_hull=gain,
        gain_ci=_point(gain),
        spend_over_budget=None if cost_usd is None or budget_usd is None else cost_usd / budget_usd,
    )


def mix_of(
    figures: Sequence[ModelFigures], *, budget_usd: float | None = None, target_quality: float | None = None
) -> Weights:
    """The fixed mix that is best for a budget, or cheapest for a target quality; with neither, the best model.

    Where no mix reaches the target it is the best model, and where the budget buys none it is the cheapest.
    """
    points = {Point(model.cost_usd or 0.0, model.quality): i for i, model in reversed(list(enumerate(figures)))}
    hull = Hull.of(points)
    if target_quality is not None:
        budget_usd = hull.cost_at(target_quality)
    if budget_usd is None:
        budget_usd = hull.vertices[-1].cost_usd
    below = [vertex for vertex in hull.vertices if vertex.cost_usd <= budget_usd] or [hull.vertices[0]]
    above = [vertex for vertex in hull.vertices if vertex.cost_usd > budget_usd]
    left = below[-1]
    weights = [0.0] * len(figures)
    weights[points[left]] = 1.0
    if above and left.cost_usd <= budget_usd:
        part = (budget_usd - left.cost_usd) / (above[0].cost_usd - left.cost_usd)
        weights[points[left]], weights[points[above[0]]] = 1 - part, part
    return tuple(weights)


def _always(weights: Weights) -> Callable[[Query], Weights]:
    return lambda _: weights


def _only(model: int, count: int) -> Weights:
    return tuple(float(i == model) for i in range(count))


def _best(figures: Sequence[ModelFigures]) -> int:
    """Of several the cheapest, which come first."""
    return max(range(len(figures)), key=lambda i: figures[i].quality)


def _best_of(recorded: Sequence[Recorded]) -> int:
    return max(range(len(recorded)), key=lambda i: (recorded[i].quality, -(recorded[i].cost_usd or 0.0)))


def _per_task(table: OutcomeTable) -> Callable[[Query], Weights]:
    totals: dict[str, list[float]] = {}
    for query in table.queries:
        held = totals.setdefault(query.task, [0.0] * len(table.models))
        for i, recorded in enumerate(query.recorded):
            held[i] += recorded.quality
    best: Mapping[str, Weights] = {
        task: _only(held.index(max(held)), len(table.models)) for task, held in totals.items()
    }
    return lambda query: best[query.task]


def _mean(query: Query, weights: Weights, figure: Callable[[Recorded], float]) -> float:
    return fsum(weight * figure(recorded) for weight, recorded in zip(weights, query.recorded, strict=True) if weight)


def _quality(recorded: Recorded) -> float:
    return recorded.quality


def _cost(recorded: Recorded) -> float:
    return recorded.cost_usd or 0.0


def _latency(recorded: Recorded) -> float:
    return recorded.latency_ms or 0.0


def _point(value: float | None) -> Interval | None:
    return None if value is None else (value, value)
