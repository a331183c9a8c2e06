"""What a dollar is worth: the goal of a route, the price of money that meets it, and the bucket that bounds spend.

Utility is quality minus lambda times cost. lambda, the price of money in quality points per dollar, is re-solved every
few requests over the newest ones: for a budget, so that what would have been spent meets it; for a target quality, so
that what would have been reached meets it at the least cost. Every request has an upper hull of (cost, quality) points;
as lambda falls the choice climbs it, so the spend over all requests is a step function that sorting the steps solves.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

from tiercel.core.hull import Corners, upper_hull

NEVER = 1e12
"""A price of money at which only the cheapest model is chosen."""

_LEAST = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a route is after: a budget, a target quality or a price of money; else to be within `slack` of the best.

    `budget_usd` is the mean cost of a request; `target_quality` in 0..1; `price` in quality points per USD and
    `latency_price` in quality points per second, of a route that weighs them.
    """

    budget_usd: float | None = None
    target_quality: float | None = None
    price: float | None = None
    latency_price: float = 0.0
    slack: float = 0.02

    @property
    def seeks_best(self) -> bool:
        """Whether what is aimed at depends on which model is best."""
        return self.budget_usd is None and self.target_quality is None and self.price is None


Points = Mapping[str, tuple[float, float]]
"""Of every model, what it is expected to cost in USD, and its quality."""


class Climb(NamedTuple):
    """A request's hull as a climb: what the cheapest model costs and gives, and the steps up from there.

    A step is (quality per dollar, cost, quality).
    """

    cost_usd: float
    quality: float
    steps: tuple[tuple[float, float, float], ...]


def climb(points: Corners) -> Climb:
    """The climb up a hull."""
    cost_usd, quality = points[0]
    steps = tuple(((q1 - q0) / max(c1 - c0, _LEAST), c1 - c0, q1 - q0) for (c0, q0), (c1, q1) in pairwise(points))
    return Climb(cost_usd, quality, steps)


def price_for_spend(climbs: Sequence[Climb], mean_usd: float) -> float:
    """The lowest price of money at which the mean cost is at most `mean_usd`. Linear, but for sorting the steps."""
    room = mean_usd * len(climbs) - sum(c.cost_usd for c in climbs)
    for slope, cost, _ in _most_worthwhile_first(climbs):
        room -= cost
        if room < 0:
            return slope * (1 + 1e-9)
    return 0.0


def price_for_quality(climbs: Sequence[Climb], mean_quality: float) -> float:
    """The highest price of money at which the mean quality is at least `mean_quality`; 0 where it is out of reach."""
    missing = mean_quality * len(climbs) - sum(c.quality for c in climbs)
    if missing <= 0:
        return NEVER
    for slope, _, quality in _most_worthwhile_first(climbs):
        missing -= quality
        if missing <= 0:
            return slope * (1 - 1e-9)
    return 0.0


def _most_worthwhile_first(climbs: Sequence[Climb]) -> list[tuple[float, float, float]]:
    return sorted(chain.from_iterable(c.steps for c in climbs), reverse=True)


class Bucket:
    """A level that rises by `income` with every request, up to `cap` of them, and falls by what is spent.

    What a decision will cost is taken off when it is made and corrected when its outcome is known, so that requests
    under way count. As long as nothing is spent that does not fit the level (the cheapest model excepted), total spend
    stays below income times requests plus the level at the start, plus what single calls exceed their expectation.
    """

    _MOST_UNDER_WAY = 10_000

    def __init__(self, income: float, *, start: float, cap: float) -> None:
        self.income, self._cap = income, cap * income
        self.level = start * income
        self._under_way: OrderedDict[str, float] = OrderedDict()

    def room(self) -> float:
        """What the next request may spend: the level with its own income."""
        return min(self._cap, self.level + self.income)

    def reserve(self, decision_id: str, expected: float) -> None:
        """A request came in and is expected to spend so much."""
        self.level = self.room() - expected
        self._under_way[decision_id] = expected
        if len(self._under_way) > self._MOST_UNDER_WAY:
            self._under_way.popitem(last=False)

    def settle(self, decision_id: str, actual: float | None) -> None:
        """A call of that decision spent so much (None: unknown, so what was expected of it).

        A decision may have several calls: what a fallback spends on top is taken off as well.
        """
        reserved = self._under_way[decision_id]
        self._under_way[decision_id] = 0.0
        self.level += reserved - (reserved if actual is None else actual)

    def mine(self, decision_id: str) -> bool:
        """Whether that decision was made here, not too long ago."""
        return decision_id in self._under_way


class FadingMeans:
    """Means over the newest requests, of each name by itself; an entry counts for e times less every `span` / 2.

    The newest weighs most and the rest fades by that (forward decay), so that adding is all there is to do.
    """

    _HEAVIEST = 1e100

    def __init__(self, span: int) -> None:
        self._growth = 1.0 + 2.0 / span
        self._weight = 1.0
        self._count = 0.0
        self._sums: dict[str, float] = {}

    def add(self, values: Iterable[tuple[str, float]]) -> None:
        """One request's values."""
        self._weight = weight = self._weight * self._growth
        self._count += weight
        sums = self._sums
        for name, value in values:
            sums[name] = sums.get(name, 0.0) + weight * value
        if weight > self._HEAVIEST:
            self._weight = 1.0
            self._count /= weight
            self._sums = {name: total / weight for name, total in sums.items()}

    def highest(self) -> float:
        """The highest mean, over all requests (a name they had not counts as 0 there); 0 before the first."""
        return max(self._sums.values()) / self._count if self._sums else 0.0


@dataclass(frozen=True, slots=True)
class PacingSettings:
    """`window`: newest requests lambda is solved over, every `every` of them. The bucket's figures are in requests.

    `aim` is the level the bucket should have, and `horizon` over how many requests a difference is worked off. Of the
    level `reserve` is kept from calls that cost more than one request's income: a dear one must not leave the next
    fifty without an ordinary model. `trials` is the share of a budget for trying dearer models.
    """

    window: int = 400
    every: int = 25
    start: float = 20.0
    cap: float = 100.0
    aim: float = 20.0
    reserve: float = 5.0
    horizon: float = 50.0
    trials: float = 0.1


class Pacer:
    """Keeps the price of money and the bucket of one route, for one process. Thread-safe."""

    def __init__(self, goal: Goal, settings: PacingSettings | None = None) -> None:
        self.goal = goal
        self.settings = settings or PacingSettings()
        own = self.settings
        self.bucket = None if goal.budget_usd is None else Bucket(goal.budget_usd, start=own.start, cap=own.cap)
        self._climbs: deque[Climb] = deque(maxlen=own.window)
        self._qualities = FadingMeans(own.window)
        self._given_away = 0.0
        self._price: float | None = goal.price
        self._seen = 0
        self._bias = 0.0
        self._lock = threading.Lock()

    @property
    def price(self) -> float | None:
        """The price of money now; None before the first decision, which is `first_price`'s."""
        return self._price

    def first_price(self, points: Points) -> float:
        """The price of money for the very first request, whose models have these (cost, quality)."""
        best = max(quality for _, quality in points.values())
        return self._solve([climb(upper_hull(points.values()))], best)

    def room(self) -> float | None:
        """What the request may spend at most, in USD; None without a budget.

        What its own income pays for is allowed whatever the level: it adds to no debt that a dear surprise left.
        """
        bucket = self.bucket
        return None if bucket is None else max(bucket.income, bucket.room() - self.settings.reserve * bucket.income)

    def spare(self) -> float | None:
        """What a request may spend on trying each dearer model, in USD, on average; None without a budget.

        A share of the budget, and what lies in the bucket beyond the level it should have.
        """
        bucket = self.bucket
        return None if bucket is None else self.settings.trials * bucket.income + max(0.0, self._surplus(bucket))

    def _surplus(self, bucket: Bucket) -> float:
        """What a request may spend beyond its income, or less, so that the bucket comes to the level it should have."""
        return (bucket.level - self.settings.aim * bucket.income) / self.settings.horizon

    def decided(self, decision_id: str, points: Points, given_away: float, cost_usd: float) -> None:
        """A decision was made. About 10 us.

        `points` are its models' (cost, quality), `given_away` the quality that exploring is expected to lose,
        `cost_usd` what the chosen model is expected to spend.
        """
        with self._lock:
            if self.bucket:
                self.bucket.reserve(decision_id, cost_usd)
            if self.goal.price is not None:
                return
            self._climbs.append(climb(upper_hull(points.values())))
            if self.goal.budget_usd is None:
                self._given_away += (given_away - self._given_away) * 2.0 / self.settings.window
                if self.goal.target_quality is None:
                    self._qualities.add((model, quality) for model, (_, quality) in points.items())
            self._seen += 1
            if self._seen % self.settings.every == 0 or self._seen < 2 * self.settings.every:
                self._price = self._solve(self._climbs, self._qualities.highest())

    def restart(self) -> None:
        """What is believed of a model jumped: the requests until now say nothing of what is within reach."""
        with self._lock:
            self._climbs.clear()
            self._qualities = FadingMeans(self.settings.window)
            self._seen = 0

    def settle(self, decision_id: str, cost_usd: float | None) -> None:
        """A call of a decision made here cost so much; None where it succeeded and nobody knows."""
        with self._lock:
            if self.bucket and self.bucket.mine(decision_id):
                self.bucket.settle(decision_id, cost_usd)

    def rated(self, difference: float) -> None:
        """A rating was so much above what was expected: expectations that flatter themselves are corrected."""
        with self._lock:
            self._bias += (difference - self._bias) / 100.0

    def _solve(self, climbs: Sequence[Climb], best: float) -> float:
        """`best` is the best model's mean quality over the requests."""
        goal = self.goal
        if self.bucket is not None:
            income = self.bucket.income
            return price_for_spend(climbs, max(0.05 * income, income + self._surplus(self.bucket)))
        # expectations are flattered by as much as ratings fall below them
        target = best - goal.slack if goal.target_quality is None else goal.target_quality - self._bias
        return price_for_quality(climbs, target + self._given_away)
