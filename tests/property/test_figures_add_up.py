"""Whatever happened: points add up to totals, segments and the rest to the whole, and shares to one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.happenings import MODELS, at
from support.histories import events
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.figures.readings import Place, books
from tiercel.core.figures.tallies import Tally
from tiercel.core.figures.windows import recent
from tiercel.core.statistics.buckets import DAY_S
from tiercel.core.statistics.fold import OVERALL, fold, model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import Catalogue, ModelProfile
from tiercel.domain.events import Event
from tiercel.domain.performance import TimeRange
from tiercel.services.watching.frontier import frontier
from tiercel.services.watching.overview import overview
from tiercel.services.watching.series import Series, series

NOW_S = at(35 * DAY_S + 12_345).timestamp()
CATALOGUE = Catalogue([ModelProfile(model_id=model, tier="cheap") for model in MODELS[:2]])
"""The third model was taken out of it."""
HISTORIES = st.lists(events(numbers=200, seconds=st.integers(0, 35 * DAY_S + 12_400).map(float)), max_size=80)


def learned(history: list[Event], *, compacted: bool) -> Knowledge:
    knowledge = Knowledge()
    knowledge.add(MemoryStore().append(history, fold).deltas)
    if compacted:
        knowledge.compact(NOW_S)
    return knowledge


@settings(max_examples=150)
@given(HISTORIES, st.sampled_from(TimeRange), st.booleans())
def test_points_add_up_to_totals(history: list[Event], time_range: TimeRange, compacted: bool) -> None:  # noqa: FBT001
    knowledge = learned(history, compacted=compacted)
    since_s = NOW_S - time_range.window_s
    whole = knowledge.sums(OVERALL, since_s=since_s)
    found = series(knowledge, CATALOGUE, time_range, NOW_S)
    check_shape(found)
    assert sum(found.requests) == whole.requests
    assert sum(cost for cost in found.cost_usd if cost is not None) == pytest.approx(whole.cost_usd)
    assert sum(found.ratings) == whole.ratings
    assert sum(sum(tier.ratings) for tier in found.tiers) == whole.ratings
    for model in found.models:
        assert sum(model.requests) == knowledge.sums(model_key(model.model_id), since_s=since_s).requests
    for point, requests in enumerate(found.requests):
        shares = [share for model in found.models if (share := model.share[point]) is not None]
        assert (sum(shares) == pytest.approx(1.0)) if requests else not shares


@settings(max_examples=100)
@given(HISTORIES, st.sampled_from(TimeRange))
def test_stages_and_the_rest_are_the_whole(history: list[Event], time_range: TimeRange) -> None:
    knowledge = learned(history, compacted=True)
    window = recent(time_range, NOW_S)
    held = knowledge.look(lambda state: books(state, window, window))
    for model_id, whole in held.whole.items():
        added = Tally()
        for models in held.cells.values():
            added.merge(models.get(model_id, Tally()))
        assert (added.requests, added.costs.count) == (whole.requests, whole.costs.count)
        assert (added.costs.cost_nano, added.costs.cost_sq_atto) == (whole.costs.cost_nano, whole.costs.cost_sq_atto)
        assert (added.rated.count, added.rated.quality_nano) == (whole.rated.count, whole.rated.quality_nano)
        assert added.rated.quality_sq_nano == whole.rated.quality_sq_nano
    view = overview(knowledge, CATALOGUE, time_range, NOW_S).headline
    assert view.requests == sum(whole.requests for whole in held.whole.values())


@settings(max_examples=100)
@given(HISTORIES, st.sampled_from(TimeRange))
def test_stages_add_up_to_their_workflow(history: list[Event], time_range: TimeRange) -> None:
    knowledge = learned(history, compacted=True)
    whole = series(knowledge, CATALOGUE, time_range, NOW_S, Place("a"))
    parts = [series(knowledge, CATALOGUE, time_range, NOW_S, Place("a", stage)) for stage in ("b", "*")]
    check_shape(whole)
    assert list(whole.requests) == [sum(counts) for counts in zip(*(part.requests for part in parts), strict=True)]
    assert list(whole.ratings) == [sum(counts) for counts in zip(*(part.ratings for part in parts), strict=True)]


@settings(max_examples=100)
@given(HISTORIES)
def test_the_router_is_among_its_models(history: list[Event]) -> None:
    found = frontier(learned(history, compacted=True), CATALOGUE, TimeRange.LAST_30_DAYS, NOW_S)
    rated = [point for point in found.models if point.requests and point.quality is not None]
    if found.router is None:
        return
    assert (
        min(p.quality or 0 for p in rated) - 1e-9 <= found.router.quality <= max(p.quality or 0 for p in rated) + 1e-9
    )
    assert 0 <= found.router.low <= found.router.quality <= found.router.high <= 1
    front = sorted((p.cost_usd, p.quality) for p in found.models if p.on_front and p.cost_usd is not None)
    assert front == sorted(front, key=lambda point: point[1] or 0)


def check_shape(found: Series) -> None:
    length = len(found.at)
    assert 0 < length <= 300
    assert all(later - earlier == found.width_s for earlier, later in zip(found.at, found.at[1:], strict=False))
    lines = [found.requests, found.success_rate, found.cost_usd, found.ratings]
    lines += [found.latency.p50, found.latency.p95, found.latency.p99]
    lines += [found.quality.mean, found.quality.low, found.quality.high]
    lines += [line for model in found.models for line in (model.requests, model.share)]
    lines += [line for tier in found.tiers for line in (tier.ratings, tier.quality.mean)]
    assert {len(line) for line in lines} == {length}
    for point, requests in enumerate(found.requests):
        assert (found.success_rate[point] is None) is (requests == 0)
        assert (found.quality.mean[point] is None) is (found.ratings[point] == 0)
