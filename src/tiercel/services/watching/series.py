"""Figures over time, a point for each stretch that the time buckets of the learned state tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from tiercel.core.figures.readings import (
    EVERYWHERE,
    Place,
    State,
    models_of,
    points,
    ratings_by_tier,
    requests_by_model,
    tiers_of,
)
from tiercel.core.figures.tallies import Ratings
from tiercel.core.figures.windows import Grid, recent
from tiercel.core.statistics.fold import OVERALL
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import Sums
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.performance import TimeRange

_T = TypeVar("_T")

Line = Sequence[float | None]
"""A figure at each point; None where nothing was."""


@dataclass(frozen=True, slots=True)
class LatencyLines:
    """Of successful calls, in ms."""

    p50: Line
    p95: Line
    p99: Line


@dataclass(frozen=True, slots=True)
class QualityLines:
    """The mean of the ratings of each point and its 95 % interval, in 0..1."""

    mean: Line
    low: Line
    high: Line

    @classmethod
    def of(cls, ratings: Iterable[Ratings]) -> Self:
        """In figures."""
        held = list(ratings)
        intervals = [point.interval() or (None, None) for point in held]
        return cls([point.mean for point in held], [low for low, _ in intervals], [high for _, high in intervals])


@dataclass(frozen=True, slots=True)
class ModelLines:
    """How many calls a model answered, and which share of all; its tier is None where the catalogue has none."""

    model_id: str
    tier: str | None
    requests: Sequence[int]
    share: Line


@dataclass(frozen=True, slots=True)
class TierLines:
    """How a tier's answers were rated."""

    tier: str
    quality: QualityLines
    ratings: Sequence[int]


@dataclass(frozen=True, slots=True)
class Series:
    """Every figure at the points that begin `at` (seconds since the epoch) and are `width_s` long."""

    time_range: str
    width_s: int
    at: Sequence[int]
    requests: Sequence[int]
    success_rate: Line
    latency: LatencyLines
    cost_usd: Line
    ratings: Sequence[int]
    quality: QualityLines
    models: Sequence[ModelLines]
    tiers: Sequence[TierLines]


def series(
    knowledge: Knowledge, catalogue: Catalogue, time_range: TimeRange, now_s: float, place: Place = EVERYWHERE
) -> Series:
    """One look at the learned state; at most 169 points. Cost independent of history, linear in the segments meant."""
    window, grid = recent(time_range, now_s), Grid.of(time_range, now_s)

    def read(state: State) -> tuple[list[Sums], list[Sums], dict[str, list[int]], dict[str, list[Ratings]]]:
        if place == EVERYWHERE:
            whole = points([state.get(OVERALL, {})], window, grid)
            rated = whole
        else:
            whole = points((buckets for _, buckets in models_of(state, place)), window, grid)
            # a rating counts with its tier, whether or not it names a model
            rated = points((buckets for _, buckets in tiers_of(state, place)), window, grid)
        by_model = requests_by_model(state, place, window, grid)
        return whole, rated, by_model, ratings_by_tier(state, place, window, grid)

    whole, rated, by_model, by_tier = knowledge.look(read)
    ratings = [Ratings.of(point) for point in rated]
    return Series(
        time_range=time_range,
        width_s=grid.width_s,
        at=grid.starts_s,
        requests=[point.requests for point in whole],
        success_rate=[point.success_rate for point in whole],
        latency=LatencyLines(*([point.latency_quantile_ms(q) for point in whole] for q in (0.5, 0.95, 0.99))),
        cost_usd=[point.cost_usd if point.costed else None for point in whole],
        ratings=[point.count for point in ratings],
        quality=QualityLines.of(ratings),
        models=_model_lines(by_model, catalogue),
        tiers=[
            TierLines(tier, QualityLines.of(found), [point.count for point in found])
            for tier, found in _in_order(by_tier, catalogue.tiers)
        ],
    )


def _model_lines(by_model: Mapping[str, list[int]], catalogue: Catalogue) -> list[ModelLines]:
    """The catalogue's models in its order, then those that were called and are no longer in it."""
    totals = [sum(counts) for counts in zip(*by_model.values(), strict=True)]
    lines = []
    for model_id, counts in _in_order(by_model, [model.model_id for model in catalogue]):
        model = catalogue.get(model_id)
        if model is not None or any(counts):
            shares = [count / total if total else None for count, total in zip(counts, totals, strict=True)]
            lines.append(ModelLines(model_id, model.tier if model else None, counts, shares))
    return lines


def _in_order(found: Mapping[str, _T], known: Sequence[str]) -> list[tuple[str, _T]]:
    places = {name: place for place, name in enumerate(known)}
    return sorted(found.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))
