"""Whether the new one is worse: looking after every rating misleads nobody, and a real drop is found."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.changes.comparison import Ratings, bounds, difference
from tiercel.core.policies.gated import GateSettings
from tiercel.domain.changes import Interval

ALPHA = 0.05
STREAMS = 1_000
LOOKS = 150
Draw = Callable[[random.Random], float]


def graded(chance: random.Random) -> float:
    """A grade of five steps, good on average."""
    return chance.choice((0.5, 0.75, 0.75, 1.0, 1.0))


def right_or_wrong(chance: random.Random) -> float:
    return float(chance.random() < 0.8)


def added(ratings: Ratings, quality: float) -> Ratings:
    return Ratings(ratings.number + 1, ratings.total + quality, ratings.squares + quality * quality)


def looks(old: Draw, new: Draw, share: float, seed: int, most: int) -> Iterator[tuple[Ratings, Ratings]]:
    """The two after every rating."""
    chance = random.Random(seed)
    arms = [Ratings(), Ratings()]
    for _ in range(most):
        arm = int(chance.random() < share)
        arms[arm] = added(arms[arm], (old, new)[arm](chance))
        yield arms[0], arms[1]


def surely_worse(old: Ratings, new: Ratings) -> bool:
    if not (old.number and new.number) or new.total / new.number >= old.total / old.number:
        return False  # the bounds are around the means
    return difference(old, new, alpha=ALPHA).high < 0.0


def worse_by_a_plain_test(old: Ratings, new: Ratings) -> bool:
    """What an operator would do who looks at 95 in 100 intervals of the normal distribution all the time."""
    if min(old.number, new.number) < 5:
        return False
    variances = [max(1e-3, r.squares / r.number - (r.total / r.number) ** 2) / r.number for r in (old, new)]
    return new.total / new.number - old.total / old.number < -1.645 * math.sqrt(sum(variances))


def stopped(test: Callable[[Ratings, Ratings], bool], draw: Draw, streams: int) -> float:
    """How often a stream without any difference is stopped, looked at after every rating."""
    return fmean(any(test(*pair) for pair in looks(draw, draw, 0.5, seed, LOOKS)) for seed in range(streams))


@pytest.mark.parametrize(("draw", "streams"), [(graded, STREAMS), (right_or_wrong, 300)])
def test_of_a_thousand_rollouts_without_a_difference_no_more_are_stopped_than_allowed(draw: Draw, streams: int) -> None:
    assert stopped(surely_worse, draw, streams) <= ALPHA


def test_looking_all_the_time_at_a_plain_interval_misleads() -> None:
    assert stopped(worse_by_a_plain_test, graded, 200) > 2 * ALPHA


@pytest.mark.parametrize(
    ("drop", "share", "within"),
    [(0.1, 0.25, 3_000), (0.2, 0.25, 800), (0.2, 0.05, 3_000), (0.4, 0.05, 1_300)],
)
def test_a_drop_is_found_within_so_many_ratings(drop: float, share: float, within: int) -> None:
    """Ratings of both together, with the settings a route has by default; docs/approvals.md says these figures."""
    gate = GateSettings()
    alpha = (1 - gate.confidence) / 2

    def dropped(chance: random.Random) -> float:
        return max(0.0, graded(chance) - drop)

    for seed in range(40):
        pairs = looks(graded, dropped, share, seed, within)
        found = (difference(*pair, alpha=alpha).high < -gate.tolerance for pair in pairs)
        assert any(found), (drop, share, seed)


ratings = st.lists(st.floats(0, 1), max_size=60)


def summed(qualities: list[float]) -> Ratings:
    return Ratings(len(qualities), sum(qualities), sum(q * q for q in qualities))


@given(old=ratings, new=ratings, alpha=st.floats(1e-4, 0.5))
def test_bounds_are_around_the_means_and_wider_the_surer(old: list[float], new: list[float], alpha: float) -> None:
    one, other = summed(old), summed(new)
    low, high = difference(one, other, alpha=alpha)
    assert -1.0 <= low <= high <= 1.0
    if old and new:
        assert low - 1e-9 <= fmean(new) - fmean(old) <= high + 1e-9
    surer = difference(one, other, alpha=alpha / 2)
    assert surer.low <= low + 1e-9
    assert surer.high >= high - 1e-9


def test_of_no_ratings_nothing_is_known() -> None:
    assert bounds(Ratings(), alpha=ALPHA) == Interval(0.0, 1.0)


@pytest.mark.parametrize("mean", [0.0, 0.2, 0.9, 1.0])
def test_the_level_is_reached_exactly_at_the_bound(mean: float) -> None:
    """The bound is where the mixture around the nearest of five centres comes to 5 / alpha: no wider than it must."""
    count, centre = 2_000, min((0.1, 0.3, 0.5, 0.7, 0.9), key=lambda one: abs(one - mean))
    many = Ratings(count, count * mean, count * mean)
    low, high = bounds(many, alpha=ALPHA)
    spread = count * (mean * (1 - centre) ** 2 + (1 - mean) * centre**2)
    rates = [0.95 * 0.75**k for k in range(18)]
    for bound, sign in ((low, 1), (high, -1)):
        deviation = sign * count * (mean - bound)
        mixture = fmean(math.exp(r * deviation + (math.log1p(-r) + r) * spread) for r in rates)
        assert bound in (0.0, 1.0) or mixture == pytest.approx(5 / ALPHA)
