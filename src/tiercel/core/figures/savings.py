"""What routing saved: what the same calls would have cost on the best model, minus what they did cost.

In each segment the best model is the one whose mean rating less one standard error is the highest, among those with at
least `RATED` ratings there; where there is none, among all models by all their ratings. For the n calls of a segment
that others answered, for S together, the best one would have taken n c, and n c - S was saved. Its own calls cost what
they cost. c is its mean cost of a call: of its own calls in that segment; else of all its own calls; else of its price
and of the tokens that the n calls took.

The interval reaches t standard errors to both sides. With v the variance of the cost of one call of the best model and
m its calls, the variance of n c against what n calls would really have taken is v n^2 / m + v n. Segments add up, and
so do their variances; the degrees of freedom are Satterthwaite's. It covers what chance did. It does not cover that a
policy may have kept the requests that are dear to answer for the one model or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

from tiercel.core.figures.tallies import MANY, Costs, Ratings, Tally
from tiercel.core.statistics.intervals import t_quantile
from tiercel.domain.catalogue import Price
from tiercel.domain.request import Segment

RATED = 10
"""So many ratings a model needs to be called the best."""
COMPARED = 2
"""So many ratings a model needs to be compared in quality."""

REST: Segment = ()
"""The calls of no segment that is looked at: what agents asked for outside any workflow, and segments forgotten."""

Cells = Mapping[Segment, Mapping[str, Tally]]
"""What each model did in each segment."""
Prices = Callable[[str], Price | None]


class Within(NamedTuple):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Savings:
    """What was saved, in USD, over `requests` calls of known cost.

    `low_usd` and `high_usd` are None where no variance is known, and `interval_reason` then says why. `share` is of
    what always the best model would have cost. `against` are the best models, each with the calls that were compared
    with it, the most often compared with first. `estimated_from` says how many of the calls that others answered were
    reckoned by the best model's calls in the same segment, by all its calls, or by its price. `quality_difference` is
    the mean quality of what was served minus that of the best, per call, over `quality_requests` calls whose models
    have ratings.
    """

    usd: float
    low_usd: float | None
    high_usd: float | None
    share: float | None
    requests: int
    against: Mapping[str, int]
    estimated_from: Mapping[str, int]
    quality_difference: Within | None
    quality_requests: int
    interval_reason: str | None = None


class _Error:
    """The error of a sum of independent estimates."""

    __slots__ = ("_squares", "_variance")

    def __init__(self) -> None:
        self._variance = 0.0
        self._squares = 0.0

    def add(self, variance: float, degrees: int) -> None:
        self._variance += variance
        self._squares += variance * variance / degrees

    def half_width(self) -> float:
        """Half the 95 % interval, with Satterthwaite's degrees of freedom."""
        if not self._variance:
            return 0.0
        degrees = int(self._variance * self._variance / self._squares)
        return t_quantile(min(max(degrees, 1), MANY)) * sqrt(self._variance)


class _Cost(NamedTuple):
    """What one call costs, with the variance of one call (None: not known) and the calls that say so."""

    usd: float
    source: str
    variance: float | None
    costs: Costs
    degrees: int = 1


@dataclass(slots=True)
class _Account:
    """What is added up over the segments.

    An estimate that several segments share is off in all of them at once: how often it is used is added up first.
    """

    saved_usd: float = 0.0
    spent_usd: float = 0.0
    requests: int = 0
    against: dict[str, int] = field(default_factory=dict)
    estimated_from: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("segment", "model", "price"), 0))
    costs: dict[int, tuple[int, _Cost]] = field(default_factory=dict)
    quality_requests: int = 0
    qualities: dict[int, tuple[int, Ratings]] = field(default_factory=dict)

    def use_cost(self, n: int, cost: _Cost) -> None:
        """`n` calls would have cost that much each."""
        self.saved_usd += n * cost.usd
        self.estimated_from[cost.source] += n
        self.costs[id(cost.costs)] = (self.costs.get(id(cost.costs), (0, cost))[0] + n, cost)

    def use_quality(self, n: int, ratings: Ratings) -> None:
        """`n` calls (below 0: taken off) were as good as these ratings."""
        self.qualities[id(ratings)] = (self.qualities.get(id(ratings), (0, ratings))[0] + n, ratings)


def savings(cells: Cells, whole: Mapping[str, Tally], prices: Prices) -> Savings | str:
    """What was saved, or why nobody knows. `whole` is what each model did in all segments together."""
    if not any(tally.costs.count for models in cells.values() for tally in models.values()):
        called = any(tally.requests for tally in whole.values())
        return "no call of this time has a known cost" if called else "no call in this time"
    overall = best_of(whole)
    account = _Account()
    for models in cells.values():
        best = best_of(models) or overall
        if best is not None:
            _add_segment(account, best, models, whole, prices)
    if not account.requests:
        if overall is None:
            return f"no model has {RATED} ratings yet: which one is best is not known"
        return "what the best model costs is not known: it was not called in this time and has no price"
    return _settled(account)


def best_of(models: Mapping[str, Tally]) -> str | None:
    """The model whose mean rating less its standard error is highest; of equals the more often rated, then by id."""
    rated = {model_id: tally.rated for model_id, tally in models.items() if tally.rated.count >= RATED}
    return min(rated, key=lambda model_id: (-_low(rated[model_id]), -rated[model_id].count, model_id), default=None)


def _low(ratings: Ratings) -> float:
    return (ratings.mean or 0.0) - sqrt(ratings.variance_of_mean)


def _add_segment(
    account: _Account, best: str, models: Mapping[str, Tally], whole: Mapping[str, Tally], prices: Prices
) -> None:
    others = [tally for model_id, tally in models.items() if model_id != best]
    own = models.get(best) or Tally()
    n = sum(tally.costs.count for tally in others)
    spent = sum(tally.costs.usd for tally in others)
    if n:
        cost = _cost_of(own.costs, (whole.get(best) or Tally()).costs) or _priced(prices(best), others, n)
        if cost is None:
            return
        account.use_cost(n, cost)
    account.saved_usd -= spent
    account.spent_usd += spent + own.costs.usd
    compared = n + own.costs.count
    account.requests += compared
    if compared:
        account.against[best] = account.against.get(best, 0) + compared
    _add_quality(account, best, models, whole)


def _cost_of(own: Costs, whole: Costs) -> _Cost | None:
    """By the model's own calls in the segment, else by all its calls; None without any."""
    if own.count:
        source, costs = "segment", own
    elif whole.count:
        source, costs = "model", whole
    else:
        return None
    if costs.variance is not None:
        return _Cost(costs.mean, source, costs.variance, costs, costs.degrees)
    if whole.variance is None:
        return _Cost(costs.mean, source, None, costs)
    # too few calls of its own: spread as much, for its size, as the model's calls at large
    relative = whole.variance / (whole.mean * whole.mean) if whole.mean else 0.0
    return _Cost(costs.mean, source, relative * costs.mean**2, costs, whole.degrees)


def _priced(price: Price | None, others: Iterable[Tally], n: int) -> _Cost | None:
    """By its price, as if its answers were as long as those given."""
    tallies = list(others)
    # a call that failed took no tokens that are known, and is none of the n
    calls = max(sum(tally.successes for tally in tallies), n)
    prompt_tokens = sum(tally.prompt_tokens for tally in tallies)
    completion_tokens = sum(tally.completion_tokens for tally in tallies)
    if price is None or not (prompt_tokens or completion_tokens):
        return None
    return _Cost(price.cost_usd(prompt_tokens, completion_tokens) / calls, "price", None, Costs())


def _add_quality(account: _Account, best: str, models: Mapping[str, Tally], whole: Mapping[str, Tally]) -> None:
    """Add how much better or worse others were than the best, per call they answered."""
    its = models.get(best) or Tally()
    for model_id, tally in models.items():
        pair = None if model_id == best else _compared(tally, its, whole.get(model_id), whole.get(best))
        if pair is not None and tally.requests:
            account.use_quality(tally.requests, pair[0])
            account.use_quality(-tally.requests, pair[1])
            account.quality_requests += tally.requests
    account.quality_requests += its.requests


def _compared(
    other: Tally, best: Tally | None, other_whole: Tally | None, best_whole: Tally | None
) -> tuple[Ratings, Ratings] | None:
    """The ratings of both in the segment, else of both at large: never of one here and of the other there."""
    for theirs, its in ((other, best), (other_whole, best_whole)):
        if theirs and its and theirs.rated.count >= COMPARED and its.rated.count >= COMPARED:
            return theirs.rated, its.rated
    return None


def _settled(account: _Account) -> Savings:
    saved = _Error()
    for n, cost in account.costs.values():
        if cost.variance is not None:
            saved.add(cost.variance * (n * n / cost.costs.count + n), cost.degrees)
    reason = None
    if account.estimated_from["price"]:
        reason = "part of it is reckoned from a price: how far that is off is not known"
    elif any(cost.variance is None for _, cost in account.costs.values()):
        reason = "the best model was called once only: how much its calls differ is not known yet"
    half, usd = saved.half_width(), account.saved_usd
    always = account.spent_usd + usd
    return Savings(
        usd=usd,
        low_usd=None if reason else usd - half,
        high_usd=None if reason else usd + half,
        share=usd / always if always > 0 else None,
        requests=account.requests,
        against=dict(sorted(account.against.items(), key=lambda item: (-item[1], item[0]))),
        estimated_from=account.estimated_from,
        quality_difference=_difference(account),
        quality_requests=account.quality_requests,
        interval_reason=reason,
    )


def _difference(account: _Account) -> Within | None:
    calls = account.quality_requests
    if not calls:
        return None
    error, total = _Error(), 0.0
    for n, ratings in account.qualities.values():
        total += n * (ratings.mean or 0.0)
        error.add(n * n * ratings.variance_of_mean, ratings.degrees)
    mean, half = total / calls, error.half_width() / calls
    return Within(mean, max(mean - half, -1.0), min(mean + half, 1.0))
