"""The plain counts of sums: without latencies, so that thousands of time buckets add up in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Self

from tiercel.core.statistics.intervals import t_quantile
from tiercel.core.statistics.sums import NANO, Sums


class Ratings:
    """Ratings added up: how many, and the sums of their qualities and of the squares in 1e-9."""

    __slots__ = ("count", "quality_nano", "quality_sq_nano")

    def __init__(self, count: int = 0, quality_nano: int = 0, quality_sq_nano: int = 0) -> None:
        self.count = count
        self.quality_nano = quality_nano
        self.quality_sq_nano = quality_sq_nano

    @classmethod
    def of(cls, sums: Sums) -> Self:
        """The ratings in `sums`."""
        return cls(sums.ratings, sums.quality_nano, sums.quality_sq_nano)

    def add(self, sums: Sums) -> None:
        """Add the ratings in `sums`."""
        self.count += sums.ratings
        self.quality_nano += sums.quality_nano
        self.quality_sq_nano += sums.quality_sq_nano

    def merge(self, other: Ratings, sign: int = 1) -> None:
        """Add what `other` holds, or with -1 take it off."""
        self.count += sign * other.count
        self.quality_nano += sign * other.quality_nano
        self.quality_sq_nano += sign * other.quality_sq_nano

    @property
    def mean(self) -> float | None:
        """0..1, or None without a rating."""
        return self.quality_nano / NANO / self.count if self.count > 0 else None

    @property
    def variance_of_mean(self) -> float:
        """How far the mean may be off, squared; infinite without a rating.

        The spread is taken as if there were two ratings more, one of 0 and one of 1: a few equal ratings do not make
        certainty (the thought of Agresti and Coull, 1998). With many ratings that changes nothing.
        """
        mean = self.mean
        if mean is None:
            return inf
        spread = max(self.quality_sq_nano / NANO - self.count * mean * mean, 0.0) + mean * mean + (1 - mean) ** 2
        return spread / (self.count + 1) / self.count

    @property
    def degrees(self) -> int:
        """The degrees of freedom of that variance."""
        return self.count + 1

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, within 0..1; None without a rating."""
        mean = self.mean
        if mean is None:
            return None
        half = t_quantile(min(self.degrees, MANY)) * self.variance_of_mean**0.5
        return max(0.0, mean - half), min(1.0, mean + half)


MANY = 200
"""Degrees of freedom from which on more make no difference."""


class Costs:
    """Calls of known cost: how many, the sum of their costs, and how much single calls differ.

    The latter is told by the sum of their squares; where a part of the calls lacks those (they were learned by an older
    version), by how much the means of groups that came one after another (time buckets) differ.
    """

    __slots__ = ("between", "cost_nano", "cost_sq_atto", "count", "groups", "squared")

    def __init__(self) -> None:
        self.count = 0
        self.cost_nano = 0
        self.cost_sq_atto = 0
        self.squared = True
        self.groups = 0
        self.between = 0.0

    def add(self, count: int, cost_nano: int, cost_sq_atto: int = 0) -> None:
        """Add a group of `count` calls: the sum of their costs in 1e-9 USD, and of the squares in 1e-18."""
        if count > 0:
            self.count += count
            self.cost_nano += cost_nano
            self.cost_sq_atto += cost_sq_atto
            # the mean of squares is never below the square of the mean
            self.squared &= count * cost_sq_atto >= cost_nano * cost_nano
            self.groups += 1
            self.between += (cost_nano / NANO) ** 2 / count

    def merge(self, other: Costs) -> None:
        """Add the groups of `other`."""
        self.count += other.count
        self.cost_nano += other.cost_nano
        self.cost_sq_atto += other.cost_sq_atto
        self.squared &= other.squared
        self.groups += other.groups
        self.between += other.between

    @property
    def usd(self) -> float:
        """What the calls cost together."""
        return self.cost_nano / NANO

    @property
    def mean(self) -> float:
        """USD per call; there has to be one."""
        return self.usd / self.count

    @property
    def degrees(self) -> int:
        """The degrees of freedom of the variance; 0 where there is none."""
        return max((self.count if self.squared else self.groups) - 1, 0)

    @property
    def variance(self) -> float | None:
        """Of the cost of one call, in square USD; None where `degrees` is 0."""
        if not self.degrees:
            return None
        if self.squared:
            apart = self.cost_sq_atto * self.count - self.cost_nano * self.cost_nano
            return apart / self.count / self.degrees / NANO / NANO
        return max(self.between - self.usd * self.usd / self.count, 0.0) / self.degrees


class Tally:
    """What calls of a model did in a window, and how they were rated in another, longer one."""

    __slots__ = ("completion_tokens", "costs", "prompt_tokens", "rated", "requests", "successes")

    def __init__(self) -> None:
        self.requests = 0
        self.successes = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.costs = Costs()
        self.rated = Ratings()

    def add_calls(self, sums: Sums) -> None:
        """Add the calls of one time bucket."""
        self.requests += sums.requests
        self.successes += sums.successes
        self.prompt_tokens += sums.prompt_tokens
        self.completion_tokens += sums.completion_tokens
        self.costs.add(sums.costed, sums.cost_nano, sums.cost_sq_atto)

    def merge(self, other: Tally) -> None:
        """Add what `other` holds."""
        self.requests += other.requests
        self.successes += other.successes
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.costs.merge(other.costs)
        self.rated.merge(other.rated)


def remainder(whole: Tally, parts: Iterable[Tally]) -> Tally:
    """What is in `whole` and in none of `parts`; its costs are one group."""
    rest = Tally()
    rest.merge(whole)
    costs, cost_nano, cost_sq_atto = whole.costs.count, whole.costs.cost_nano, whole.costs.cost_sq_atto
    for part in parts:
        rest.requests -= part.requests
        rest.successes -= part.successes
        rest.prompt_tokens -= part.prompt_tokens
        rest.completion_tokens -= part.completion_tokens
        rest.rated.merge(part.rated, -1)
        costs -= part.costs.count
        cost_nano -= part.costs.cost_nano
        cost_sq_atto -= part.costs.cost_sq_atto
    rest.costs = Costs()
    rest.costs.add(costs, cost_nano, cost_sq_atto)
    return rest
