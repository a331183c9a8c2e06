"""Scenarios: what changes while the requests come, unannounced.

A change is due at a part of the stream and concerns one model: that which was chosen most so far, the dearest of those
that still had a twentieth of the last requests, the newcomer, or the one the change before concerned. It sets factors
on what the table recorded, or withholds the model or lets it in.

    degrade   a third in, the most chosen model's quality is multiplied by 0.6, silently and for good
    recover   the same, and two thirds in it is what it was
    price     half-way, the dearest model in use costs a tenth; with a catalogue price, that changes at once too
    arrive    one model is not there until half-way: the one that the hull of the others misses most

`degraded`, `recovering` and `repriced` make the same with other factors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tiercel.core.hull import Hull, Point
from tiercel.core.replay.table import OutcomeTable, Query, Recorded
from tiercel.domain.catalogue import ModelProfile, Price

Offer = tuple[Recorded | None, ...]
"""What each model would do with a request now; None for a model that is not there."""

IN_USE_SHARE = 0.05
RECENT = 200
"""So many requests before a change tell which models are in use, and what share a model had."""


class Subject(StrEnum):
    """Which model a change concerns."""

    MOST_CHOSEN = "most-chosen"
    DEAREST_IN_USE = "dearest-in-use"
    NEWCOMER = "newcomer"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` (0..1 of the stream) on, the model's quality and cost are the recorded ones times these factors."""

    at: float
    subject: Subject
    quality_factor: float = 1.0
    cost_factor: float = 1.0
    present: bool = True


Scenario = tuple[Change, ...]


def degraded(quality_factor: float = 0.6) -> Scenario:
    """The most chosen model gets worse a third in."""
    return (Change(1 / 3, Subject.MOST_CHOSEN, quality_factor=quality_factor),)


def recovering(quality_factor: float = 0.6) -> Scenario:
    """The most chosen model gets worse a third in, and is mended two thirds in."""
    return (*degraded(quality_factor), Change(2 / 3, Subject.SAME))


def repriced(cost_factor: float = 0.1) -> Scenario:
    """The dearest model in use costs so many times as much from half-way on."""
    return (Change(1 / 2, Subject.DEAREST_IN_USE, cost_factor=cost_factor),)


def arriving() -> Scenario:
    """The newcomer is not there until half-way."""
    return (Change(0.0, Subject.NEWCOMER, present=False), Change(1 / 2, Subject.SAME))


SCENARIOS: Mapping[str, Scenario] = {
    "none": (),
    "degrade": degraded(),
    "recover": recovering(),
    "price": repriced(),
    "arrive": arriving(),
}
"""By the names of `tiercel evaluate --scenario`."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that came about: at which request, and to which model (its index)."""

    at: int
    model: int
    change: Change


class World:
    """What the models do with requests, by the table and the changes so far. One per replay.

    `newcomer` is the index of the model that arrives (default: see `newcomer_of`).
    """

    def __init__(
        self,
        table: OutcomeTable,
        models: Sequence[ModelProfile],
        scenario: Scenario = (),
        *,
        requests: int,
        newcomer: int | None = None,
    ) -> None:
        self._table = table
        self._newcomer = newcomer
        self._due = [(round(change.at * requests), change) for change in scenario]
        self._in_force: dict[int, Change] = {}
        self.profiles = tuple(models)
        self._recorded_prices = tuple(model.price for model in models)
        self.eligible = self.profiles
        self.applied: list[Applied] = []

    def reach(self, number: int, chosen: Sequence[int]) -> None:
        """Let what is due before request `number` happen; `chosen` are the models chosen so far."""
        while self._due and self._due[0][0] <= number:
            _, change = self._due.pop(0)
            model = self._subject(change.subject, chosen)
            self._in_force[model] = change
            self.applied.append(Applied(number, model, change))
            self.profiles = tuple(
                replace(profile, price=_times(self._recorded_prices[i], self._in_force[i].cost_factor))
                if i in self._in_force
                else profile
                for i, profile in enumerate(self.profiles)
            )
            self.eligible = tuple(p for i, p in enumerate(self.profiles) if self._present(i))

    def offer(self, query: Query) -> Offer:
        """What each model would do with `query` now."""
        if not self._in_force:
            return query.recorded
        offered: list[Recorded | None] = list(query.recorded)
        for model, change in self._in_force.items():
            recorded = query.recorded[model]
            cost_usd = None if recorded.cost_usd is None else recorded.cost_usd * change.cost_factor
            changed = recorded._replace(quality=recorded.quality * change.quality_factor, cost_usd=cost_usd)
            offered[model] = changed if change.present else None
        return tuple(offered)

    def _present(self, model: int) -> bool:
        change = self._in_force.get(model)
        return change is None or change.present

    def _subject(self, subject: Subject, chosen: Sequence[int]) -> int:
        if subject is Subject.SAME:
            return self.applied[-1].model
        if subject is Subject.NEWCOMER:
            return newcomer_of(self._table) if self._newcomer is None else self._newcomer
        if subject is Subject.MOST_CHOSEN:
            counts = Counter(chosen)
            return max(range(len(self.profiles)), key=lambda model: counts[model])
        recent = chosen[-RECENT:]
        counts = Counter(recent)
        used = [model for model in counts if counts[model] >= IN_USE_SHARE * len(recent)]
        return max(used, default=len(self.profiles) - 1)


def newcomer_of(table: OutcomeTable) -> int:
    """The model, but for the cheapest, that lies highest above the hull of the others; of two alike the cheaper.

    Without costs, the best.
    """
    figures = table.figures()
    if len(figures) == 1:
        return 0
    points = [Point(model.cost_usd or 0.0, model.quality) for model in figures]

    def missed(model: int) -> float:
        others = Hull.of(point for i, point in enumerate(points) if i != model)
        return points[model].quality - others.quality_at(points[model].cost_usd)

    return max(range(1, len(points)), key=missed)


def _times(price: Price | None, factor: float) -> Price | None:
    return None if price is None else Price(price.input * factor, price.output * factor)
