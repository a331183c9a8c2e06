"""The figures of the first view: what the router is doing, how well, and what it saves."""

from __future__ import annotations

from dataclasses import dataclass

from tiercel.core.figures.readings import Books, State, books
from tiercel.core.figures.savings import Savings, savings
from tiercel.core.figures.tallies import Ratings
from tiercel.core.figures.windows import before, recent
from tiercel.core.statistics.fold import OVERALL
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import Sums
from tiercel.domain.catalogue import Catalogue, Price
from tiercel.domain.performance import TimeRange

RATED_OVER = TimeRange.LAST_30_DAYS
"""Which model is the best is told by the ratings of this long, whatever range is looked at."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Of successful calls, in ms; None without one."""

    mean: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """The mean of so many ratings and its 95 % interval, in 0..1."""

    mean: float | None
    low: float | None
    high: float | None
    ratings: int

    @classmethod
    def of(cls, ratings: Ratings) -> Quality:
        """In figures."""
        low, high = ratings.interval() or (None, None)
        return cls(ratings.mean, low, high, max(ratings.count, 0))


@dataclass(frozen=True, slots=True)
class Headline:
    """All calls of a time in figures; `spend_usd` is None where no call's cost is known."""

    requests: int
    success_rate: float | None
    latency: Latency
    spend_usd: float | None
    unpriced_requests: int
    quality: Quality | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The headline, that of the range before (None where nothing is known of it), and what was saved.

    `savings` is text where that is not known: why not.
    """

    headline: Headline
    previous: Headline | None
    savings: Savings | str


def overview(knowledge: Knowledge, catalogue: Catalogue, time_range: TimeRange, now_s: float) -> Overview:
    """One look at the learned state; cost independent of history, about 1 us per time bucket of a stage's model."""
    window, earlier = recent(time_range, now_s), before(time_range, now_s)

    def read(state: State) -> tuple[Sums, Sums, Books]:
        overall = state.get(OVERALL, {})
        past = earlier.total(overall) if earlier else Sums()
        return window.total(overall), past, books(state, window, recent(RATED_OVER, now_s))

    now, past, held = knowledge.look(read)
    saved = savings(held.cells, held.whole, lambda model_id: price_of(catalogue, model_id))
    return Overview(headline(now), headline(past) if past else None, saved)


def headline(sums: Sums) -> Headline:
    """Sums in figures."""
    ratings = Ratings.of(sums)
    return Headline(
        requests=sums.requests,
        success_rate=sums.success_rate,
        latency=Latency(sums.mean_latency_ms, sums.latency_quantile_ms(0.95), sums.latency_quantile_ms(0.99)),
        spend_usd=sums.cost_usd if sums.costed else None,
        # a call whose client left has a cost and is no request
        unpriced_requests=max(sums.requests - sums.costed, 0),
        quality=Quality.of(ratings) if ratings.count > 0 else None,
    )


def price_of(catalogue: Catalogue, model_id: str) -> Price | None:
    """A model's price, where the catalogue says it."""
    model = catalogue.get(model_id)
    return model.price if model else None
