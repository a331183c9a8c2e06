from __future__ import annotations

import random
from statistics import fmean, variance

import pytest

from tiercel.core.figures.tallies import Costs, Ratings, Tally, remainder
from tiercel.core.statistics.sums import Sums, nano


def rated(*qualities: float) -> Ratings:
    return Ratings(len(qualities), sum(map(nano, qualities)), sum(nano(quality * quality) for quality in qualities))


def costs(*groups: list[float], squares: bool = True) -> Costs:
    found = Costs()
    for group in groups:
        nanos = [nano(cost) for cost in group]
        found.add(len(group), sum(nanos), sum(cost * cost for cost in nanos) if squares else 0)
    return found


def test_nothing_rated_has_no_interval_and_a_few_equal_ratings_make_no_certainty() -> None:
    assert (rated().mean, rated().interval()) == (None, None)
    assert rated(0.9).interval() == (0.0, 1.0)
    low, high = rated(1.0, 1.0, 1.0).interval() or (0, 0)
    assert (low < 0.5, high) == (True, 1.0)


def test_with_many_ratings_it_is_the_usual_interval() -> None:
    draw = random.Random(1)
    qualities = [draw.betavariate(8, 2) for _ in range(2_000)]
    low, high = rated(*qualities).interval() or (0, 0)
    half = 1.96 * (variance(qualities) / len(qualities)) ** 0.5
    assert (high - low) / 2 == pytest.approx(half, rel=0.02)
    assert (low + high) / 2 == pytest.approx(fmean(qualities), abs=1e-6)


def test_intervals_of_ratings_cover_the_truth() -> None:
    covered = 0
    for seed in range(400):
        draw = random.Random(seed)
        low, high = rated(*(float(draw.random() < 0.85) for _ in range(25))).interval() or (0, 0)
        covered += low <= 0.85 <= high
    assert covered >= 0.93 * 400


def test_the_variance_of_costs_is_that_of_single_calls() -> None:
    draw = random.Random(2)
    groups = [[draw.expovariate(100) for _ in range(draw.randint(1, 30))] for _ in range(60)]
    single = [cost for group in groups for cost in group]
    assert costs(*groups).variance == pytest.approx(variance(single), rel=1e-5)
    assert costs(*groups).mean == pytest.approx(fmean(single))
    assert costs([0.25]).variance is None
    assert costs([0.25, 0.25]).variance == 0.0


def test_without_squares_groups_tell_it() -> None:
    draw = random.Random(3)
    groups = [[draw.expovariate(100) for _ in range(draw.randint(1, 30))] for _ in range(400)]
    single = [cost for group in groups for cost in group]
    old = costs(*groups, squares=False)
    assert (old.squared, old.degrees) == (False, 399)
    assert old.variance == pytest.approx(variance(single), rel=0.3)
    mixed = costs(groups[0])
    mixed.merge(old)
    assert not mixed.squared, "some squares are missing, so none can be used"
    assert costs(groups[0], squares=False).variance is None


def test_what_is_left_of_a_whole() -> None:
    whole, part = Tally(), Tally()
    first, second = Sums(), Sums()
    for sums, cost in ((first, 0.5), (second, 0.25)):
        sums.add_call(success=True, latency_ms=1, prompt_tokens=3, completion_tokens=2, cost_usd=cost, match_score=None)
        sums.add_ratings(1, nano(cost), nano(cost * cost))
    for tally, parts in ((whole, (first, second)), (part, (first,))):
        for sums in parts:
            tally.add_calls(sums)
            tally.rated.add(sums)
    rest = remainder(whole, [part])
    assert (rest.requests, rest.prompt_tokens, rest.completion_tokens) == (1, 3, 2)
    assert (rest.costs.count, rest.costs.usd, rest.costs.cost_sq_atto) == (1, 0.25, nano(0.25) ** 2)
    assert (rest.rated.count, rest.rated.mean) == (1, 0.25)
    assert remainder(whole, [whole]).costs.count == 0
