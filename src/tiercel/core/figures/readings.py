"""What is read of the learned state in one look, as of one moment; reckoning comes after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tiercel.core.figures.savings import REST
from tiercel.core.figures.tallies import Ratings, Tally, remainder
from tiercel.core.figures.windows import Buckets, Grid, Window
from tiercel.core.statistics.fold import Key, segment_of
from tiercel.core.statistics.sums import Sums
from tiercel.domain.request import Segment

State = Mapping[Key, Buckets]
"""The time buckets of every key."""

MANY_SEGMENTS = 500
"""Of more segments than that, each is no longer looked at by itself where all are wanted: the cost would grow."""


class Place(NamedTuple):
    """Which calls: those of a workflow's stage, of all its stages (no stage), or all there are (no workflow)."""

    workflow: str | None = None
    stage: str | None = None

    def holds(self, segment: Segment) -> bool:
        """Whether calls of that segment are meant."""
        if self.workflow is None:
            return True
        return segment[:2] == ("stage", self.workflow) and self.stage in (None, segment[2])


EVERYWHERE = Place()


def is_model_key(key: Key) -> bool:
    """Whether it is that of a model within a workflow's stage."""
    return len(key) == 5 and key[0] == "stage" and key[3] == "model"


def is_tier_key(key: Key) -> bool:
    """Whether it is that of a tier within a workflow's stage."""
    return len(key) == 5 and key[0] == "stage" and key[3] == "tier"


def models_of(state: State, place: Place) -> Iterator[tuple[str, Buckets]]:
    """Each model with its buckets there; a model comes once for each stage."""
    for key, buckets in state.items():
        if place.workflow is None:
            if len(key) == 2 and key[0] == "model":
                yield key[1], buckets
        elif is_model_key(key) and place.holds(key[:3]):
            yield key[4], buckets


def tiers_of(state: State, place: Place) -> Iterator[tuple[str, Buckets]]:
    """Each tier with the buckets of its ratings there; a tier comes once for each segment."""
    for key, buckets in state.items():
        segment = segment_of(key)
        if segment is not None and len(key) == len(segment) + 2 and key[-2] == "tier" and place.holds(segment):
            yield key[-1], buckets


def sums_by_model(state: State, place: Place, window: Window) -> dict[str, Sums]:
    """What each model's calls there did in a window."""
    found: dict[str, Sums] = {}
    for model_id, buckets in models_of(state, place):
        sums = found.setdefault(model_id, Sums())
        for _, part in window.of(buckets):
            sums.merge(part)
    return found


def points(parts: Iterable[Buckets], window: Window, grid: Grid) -> list[Sums]:
    """The sums of each point."""
    found = [Sums() for _ in range(grid.length)]
    for buckets in parts:
        for bucket, sums in window.of(buckets):
            found[grid.place(bucket)].merge(sums)
    return found


def requests_by_model(state: State, place: Place, window: Window, grid: Grid) -> dict[str, list[int]]:
    """How many calls of each model fell into each point."""
    found: dict[str, list[int]] = {}
    for model_id, buckets in models_of(state, place):
        counts = found.setdefault(model_id, [0] * grid.length)
        for bucket, sums in window.of(buckets):
            counts[grid.place(bucket)] += sums.requests
    return found


def ratings_by_tier(state: State, place: Place, window: Window, grid: Grid) -> dict[str, list[Ratings]]:
    """The ratings of each tier in each point."""
    found: dict[str, list[Ratings]] = {}
    for tier, buckets in tiers_of(state, place):
        ratings = found.setdefault(tier, [Ratings() for _ in range(grid.length)])
        for bucket, sums in window.of(buckets):
            ratings[grid.place(bucket)].add(sums)
    return found


class Books(NamedTuple):
    """What each model did in each stage, and in all; what no stage holds is under `REST`."""

    cells: Mapping[Segment, Mapping[str, Tally]]
    whole: Mapping[str, Tally]


def books(state: State, called: Window, rated: Window, place: Place = EVERYWHERE) -> Books:
    """Calls of one window beside ratings of another. Cost: about 1 us per time bucket of a stage's model.

    Beyond `MANY_SEGMENTS` segments everything is under `REST`.
    """
    keys = [key for key in state if is_model_key(key) and place.holds(key[:3])]
    cells: dict[Segment, dict[str, Tally]] = {}
    if len({key[:3] for key in keys}) <= MANY_SEGMENTS or place.workflow is not None:
        for key in keys:
            cells.setdefault(key[:3], {})[key[4]] = tally(state[key], called, rated)
    if place.workflow is not None:
        return Books(cells, _summed(cells.values()))
    whole = {model_id: tally(buckets, called, rated) for model_id, buckets in models_of(state, place)}
    rest = {
        model_id: remainder(entire, (models[model_id] for models in cells.values() if model_id in models))
        for model_id, entire in whole.items()
    }
    return Books({**cells, REST: rest}, whole)


def tally(buckets: Buckets, called: Window, rated: Window) -> Tally:
    """The calls of one window and the ratings of another."""
    found = Tally()
    for bucket, sums in buckets.items():
        if called.covers(bucket):
            found.add_calls(sums)
        if sums.ratings and rated.covers(bucket):
            found.rated.add(sums)
    return found


def _summed(cells: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    whole: dict[str, Tally] = {}
    for models in cells:
        for model_id, part in models.items():
            whole.setdefault(model_id, Tally()).merge(part)
    return whole
