"""Rated decisions, and the weights that make the log of one policy speak for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from tiercel.domain.request import Segment

Probabilities = tuple[float, ...]
"""One for each model of a row, in the row's order; they sum to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRow:
    """A decision that was rated.

    `models` were eligible, `logged` are the probabilities they were drawn with, `chosen` is the index of the one drawn.
    `quality` (0..1) is what the answer was rated; `cost_usd` what it cost, None where unknown. `judge_rate` (0..1,
    above 0) is the probability with which it was to be rated at all; 1 where nobody threw a coin.
    """

    segment: Segment
    models: tuple[str, ...]
    logged: Probabilities
    chosen: int
    quality: float
    cost_usd: float | None = None
    judge_rate: float = 1.0


class Weighted:
    """Rows as seen by a target policy, which would have drawn with the probabilities `target`.

    `shares` say how many requests a row stands for: 1 / judge_rate, scaled to a mean of 1. `ratios[i][a]` is pi / p,
    and 0 where the log never chose (overlap.py says so). `weights[i]` is share times ratio of the model chosen.

    Source: Horvitz and Thompson, "A generalization of sampling without replacement from a finite universe", 1952, for
    the judging; Precup, Sutton and Singh, "Eligibility traces for off-policy policy evaluation", 2000, for the ratios.
    """

    __slots__ = ("ratios", "rows", "shares", "target", "weights")

    def __init__(self, rows: Sequence[LoggedRow], target: Sequence[Probabilities]) -> None:
        self.rows = rows
        self.target = target
        standing = [1.0 / row.judge_rate for row in rows]
        mean = fsum(standing) / len(rows) if rows else 1.0
        self.shares = [stands / mean for stands in standing]
        self.ratios = [
            tuple(pi / p if p > 0.0 else 0.0 for pi, p in zip(wanted, row.logged, strict=True))
            for row, wanted in zip(rows, target, strict=True)
        ]
        self.weights = [
            share * ratio[row.chosen] for row, share, ratio in zip(rows, self.shares, self.ratios, strict=True)
        ]

    def mean(self, values: Sequence[float]) -> float:
        """The mean over the requests that the rows stand for."""
        return fsum(share * value for share, value in zip(self.shares, values, strict=True)) / len(values)
