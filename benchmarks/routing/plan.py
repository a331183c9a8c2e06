"""How much is measured, and what a section is: the lines it asks for, and the figures it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.routing.data import DEMO, Source, table
from benchmarks.routing.measures import Line, Measured
from benchmarks.routing.published import MODELS

from tiercel.core.replay.table import OutcomeTable
from tiercel.core.statistics.intervals import t_interval


@dataclass(frozen=True, slots=True)
class Plan:
    """`repeats` of the lines that have to be shown, and `few` of the others; `folder` has the tables.

    `wanted` is how many repeats there are to be (at least 2; a smoke has 2).
    """

    folder: Path | None
    quick: bool = False
    split: str = "test"
    wanted: int = 20

    @property
    def repeats(self) -> int:
        """For what must be shown."""
        return 2 if self.quick else self.wanted

    @property
    def few(self) -> int:
        """For the rest."""
        return max(2, self.repeats * 3 // 10)

    @property
    def paretobandit(self) -> Source:
        """ParetoBandit's split with the paper's three models; the demo's copy where there is no folder."""
        return Source(DEMO) if self.folder is None else Source("paretobandit", self.split, MODELS)

    @property
    def other_split(self) -> Source:
        """ParetoBandit's other split, to learn from before."""
        return Source("paretobandit", "val" if self.split == "test" else "test", MODELS)

    def table(self, source: Source) -> OutcomeTable:
        """The table."""
        return table(source, self.folder)


Results = Mapping[Line, Sequence[Measured]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `figures` must fit into JSON and be all that the page needs."""

    name: str
    needs_folder: bool
    lines: Callable[[Plan], Sequence[Line]]
    figures: Callable[[Plan, Results], dict[str, Any]]


def summary(measured: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | list[float] | None]:
    """The mean and its 95 % interval over the repeats; None where there is nothing."""
    values = [float(one[name]) for one in measured if one.get(name) is not None]
    if not values:
        return {"mean": None, "ci": None}
    interval = t_interval(values)
    return {"mean": fmean(values), "ci": list(interval) if interval else None}


def band(curves: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Point by point the mean of some curves, and the ends of its interval."""
    points = list(zip(*curves, strict=True))
    ends = [t_interval(point) or (fmean(point), fmean(point)) for point in points]
    return {
        "mean": [fmean(point) for point in points],
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
    }


def model_points(outcomes: OutcomeTable) -> list[dict[str, Any]]:
    """Every model's mean quality and cost."""
    return [
        {"model": model.model_id.rpartition("/")[2], "quality": model.quality, "cost_usd": model.cost_usd}
        for model in outcomes.figures()
    ]
