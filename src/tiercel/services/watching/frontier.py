"""Cost against quality, per model, and where the router stands among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tiercel.core.figures.pareto import front
from tiercel.core.figures.readings import EVERYWHERE, Place, State, models_of
from tiercel.core.figures.readings import tally as tally_of
from tiercel.core.figures.tallies import Tally
from tiercel.core.figures.windows import recent
from tiercel.core.hull import Point
from tiercel.core.statistics.intervals import t_quantile
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.performance import TimeRange

NOTHING = "no model has both calls of known cost and ratings in this time"


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A model's mean cost per call of known cost, and the mean of its ratings with its 95 % interval."""

    model_id: str
    tier: str | None
    cost_usd: float | None
    quality: float | None
    low: float | None
    high: float | None
    requests: int
    ratings: int
    on_front: bool


@dataclass(frozen=True, slots=True)
class RouterPoint:
    """The mean cost of a call, and the mean quality of what was served, as its models' ratings tell."""

    cost_usd: float
    quality: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Frontier:
    """The models and the router; `note` says what there is to know of the figures."""

    models: Sequence[ModelPoint]
    router: RouterPoint | None
    note: str | None


def frontier(
    knowledge: Knowledge, catalogue: Catalogue, time_range: TimeRange, now_s: float, place: Place = EVERYWHERE
) -> Frontier:
    """One look at the learned state; cost independent of history."""
    window = recent(time_range, now_s)

    def read(state: State) -> dict[str, Tally]:
        found = {model.model_id: Tally() for model in catalogue}
        for model_id, buckets in models_of(state, place):
            found.setdefault(model_id, Tally()).merge(tally_of(buckets, window, window))
        return found

    tallies = knowledge.look(read)
    placed = {
        model_id: Point(tally.costs.mean, tally.rated.mean)
        for model_id, tally in tallies.items()
        if tally.costs.count and tally.rated.mean is not None
    }
    best = front(placed)
    models = [_model_point(catalogue, model_id, tally, model_id in best) for model_id, tally in tallies.items()]
    router, note = _router(tallies)
    return Frontier([point for point in models if point.tier or point.requests or point.ratings], router, note)


def _model_point(catalogue: Catalogue, model_id: str, tally: Tally, on_front: bool) -> ModelPoint:  # noqa: FBT001
    model, (low, high) = catalogue.get(model_id), tally.rated.interval() or (None, None)
    return ModelPoint(
        model_id=model_id,
        tier=model.tier if model else None,
        cost_usd=tally.costs.mean if tally.costs.count else None,
        quality=tally.rated.mean,
        low=low,
        high=high,
        requests=tally.requests,
        ratings=tally.rated.count,
        on_front=on_front,
    )


def _router(tallies: Mapping[str, Tally]) -> tuple[RouterPoint | None, str | None]:
    """The models' means, weighted by how often each was called: it does not matter whose answers are rated more."""
    called = sum(tally.requests for tally in tallies.values())
    rated = [tally for tally in tallies.values() if tally.requests and tally.rated.mean is not None]
    calls, priced = sum(tally.requests for tally in rated), sum(tally.costs.count for tally in tallies.values())
    if not calls or not priced:
        return None, NOTHING
    quality = sum(tally.requests * (tally.rated.mean or 0.0) for tally in rated) / calls
    variance = sum((tally.requests / calls) ** 2 * tally.rated.variance_of_mean for tally in rated)
    half = t_quantile(min(tally.rated.degrees for tally in rated)) * variance**0.5
    cost = sum(tally.costs.usd for tally in tallies.values()) / priced
    note = None
    if calls < called:
        note = f"the router's quality is that of {calls / called:.1%} of its calls: the other models have no ratings"
    return RouterPoint(cost, quality, max(0.0, quality - half), min(1.0, quality + half)), note
