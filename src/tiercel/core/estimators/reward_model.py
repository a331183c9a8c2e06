"""Mean rewards per segment and model, each row's from rows that are not its own.

Two folds, every other row: what is said of a row was learned from the other fold, so that a row's residual owes nothing
to itself (cross-fitting: Chernozhukov et al., "Double/debiased machine learning", 2018, definition 3.1). A cell's mean
is shrunk to its model's by `SHRINK` pseudo-observations; a model's that was never chosen is that of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.core.estimators.rows import LoggedRow
from tiercel.domain.request import Segment

SHRINK = 5.0
_FOLDS = 2


def cross_fitted(rows: Sequence[LoggedRow], rewards: Sequence[float]) -> list[tuple[float, ...]]:
    """The expected reward of every model of every row."""
    fits = [_Means(rows, rewards, fold) for fold in range(_FOLDS)]
    return [fits[i % _FOLDS].of(row) for i, row in enumerate(rows)]


class _Means:
    """Shrunk means of the rows outside one fold."""

    def __init__(self, rows: Sequence[LoggedRow], rewards: Sequence[float], left_out: int) -> None:
        self._total = [0.0, 0.0]
        self._models: dict[str, list[float]] = {}
        self._cells: dict[tuple[Segment, str], list[float]] = {}
        self._known: dict[tuple[Segment, tuple[str, ...]], tuple[float, ...]] = {}
        for i, (row, reward) in enumerate(zip(rows, rewards, strict=True)):
            if i % _FOLDS == left_out:
                continue
            model = row.models[row.chosen]
            for sums in (
                self._total,
                self._models.setdefault(model, [0.0, 0.0]),
                self._cells.setdefault((row.segment, model), [0.0, 0.0]),
            ):
                sums[0] += 1
                sums[1] += reward

    def of(self, row: LoggedRow) -> tuple[float, ...]:
        """The expected reward of each of a row's models."""
        known = self._known.get((row.segment, row.models))
        if known is None:
            known = tuple(self._cell(row.segment, model) for model in row.models)
            self._known[row.segment, row.models] = known
        return known

    def _cell(self, segment: Segment, model: str) -> float:
        count, total = self._models.get(model) or self._total
        mean = total / count if count else 0.0
        count, total = self._cells.get((segment, model), (0.0, 0.0))
        return (total + SHRINK * mean) / (count + SHRINK)
