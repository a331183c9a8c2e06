"""Drift: what is watched and how, one figure of it, and what was found: the level before and after, and its state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tiercel.core.beliefs.forgetting import Metric
from tiercel.core.beliefs.level import Span
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.request import Segment


class State(StrEnum):
    """Of a metric of a model. `BACK`: the level of before is there again. `SETTLED`: the new one is what is usual."""

    STEADY = "steady"
    DRIFTED = "drifted"
    BACK = "back"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSettings:
    """[drift]: which metrics are watched, and how.

    Of a million samples of a metric so many give a false alarm at most (of independent samples; see docs/drift.md).
    Nothing is said of a model in a segment before `minimum_samples`. A shift that has stood for `new_normal_after_s`
    is what is usual. Raises `InvalidInput` with every problem.
    """

    quality: bool = True
    latency: bool = True
    cost: bool = True
    false_alarms_per_million: float = 10.0
    minimum_samples: int = 30
    new_normal_after_s: float = 3_600.0

    def __post_init__(self) -> None:
        problems = [problem for name in _RANGES if (problem := _problem(name, getattr(self, name))) is not None]
        problems += [
            Problem(metric, "must be true or false", repr(on)[:80], "type")
            for metric in Metric
            if not isinstance(on := getattr(self, metric), bool)
        ]
        if problems:
            raise InvalidInput(problems)

    @property
    def metrics(self) -> frozenset[Metric]:
        """What is watched."""
        return frozenset(metric for metric in Metric if getattr(self, metric))


_RANGES = {
    "false_alarms_per_million": (0.001, 1_000.0),
    "minimum_samples": (10, 10_000),
    "new_normal_after_s": (60.0, 365 * 86_400.0),
}


def _problem(name: str, value: object) -> Problem | None:
    low, high = _RANGES[name]
    whole = name == "minimum_samples"
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return Problem(name, f"must be {kind}", repr(value)[:80], "type")
    return None if low <= value <= high else Problem(name, f"must be {kind} in {low:g}..{high:g}", repr(value), "range")


class Sample(NamedTuple):
    """One figure: quality 0..1, or the logarithm of milliseconds or dollars; `expected` is of the same kind."""

    metric: Metric
    segment: Segment
    model_id: str
    at_us: int
    value: float
    expected: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The level of a model's metric before and after, of the newest samples as they are kept: logarithms stay such.

    `samples` and `since_us` are those of the evidence; `size` is in standard deviations, up or down. `turns` counts how
    often the level changed there, this change and a return counted.
    """

    metric: Metric
    segment: Segment
    model_id: str
    state: State
    size: float
    before: Span
    after: Span
    samples: int
    since_us: int
    at_us: int
    turns: int

    @property
    def place(self) -> tuple[Metric, Segment, str]:
        """What it is about."""
        return self.metric, self.segment, self.model_id
