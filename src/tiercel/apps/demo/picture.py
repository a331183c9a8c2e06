"""Quality against cost as a picture of characters: what was reached, and the line that fixed mixes cannot pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from tiercel.core.hull import Hull, Point

WIDTH, HEIGHT = 60, 13
_MARGIN = 7
"""Columns for the figures left of the picture."""
_LINE, _BUDGET = ".", ":"


class Mark(NamedTuple):
    """A point of the picture; its letter and name stand in `style`."""

    point: Point
    letter: str
    name: str
    style: str = ""


def picture(marks: Sequence[Mark], hull: Hull, budget_usd: float | None = None) -> Text:
    """Quality upwards, the logarithm of the cost to the right; the hull is dotted, the budget a line of colons."""
    frame = _Frame.of([mark.point for mark in marks])
    cells: dict[tuple[int, int], tuple[str, str]] = {}
    if budget_usd is not None:
        column = frame.column(budget_usd)
        cells |= {(row, column): (_BUDGET, "dim") for row in range(HEIGHT)}
    for column in range(frame.column(hull.vertices[0].cost_usd), WIDTH):
        cells[frame.row(hull.quality_at(frame.cost_at(column))), column] = (_LINE, "dim")
    for mark in reversed(marks):
        _write(cells, frame, mark)
    lines = [Text("quality, over what 1,000 requests cost", "dim")]
    for row in range(HEIGHT):
        label = f"{frame.quality_at(row):.2f}" if row % 4 == 0 else ""
        line = Text(f"{label:>{_MARGIN - 1}} ", "dim")
        for column in range(WIDTH):
            line.append(*cells.get((row, column), (" ", "")))
        lines.append(line)
    return Text("\n").join([*lines, *_axis(frame)])


def _write(cells: dict[tuple[int, int], tuple[str, str]], frame: _Frame, mark: Mark) -> None:
    """The letter at its place, and the name beside it where there is room: to the right, else to the left."""
    row, column = frame.row(mark.point.quality), frame.column(mark.point.cost_usd)
    right = column + 1 + len(mark.name) < WIDTH
    start = column + 2 if right else column - 1 - len(mark.name)
    for offset, character in enumerate(f" {mark.name} "):
        cells[row, start - 1 + offset] = (character, mark.style)
    cells[row, column] = (mark.letter, mark.style)


class _Frame(NamedTuple):
    """What part of the plane is shown: logarithms of costs, and qualities."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Frame:
        logs = [math.log10(point.cost_usd) for point in points]
        qualities = [point.quality for point in points]
        above = 0.1 * (max(qualities) - min(qualities)) or 0.05
        beside = 0.04 * (max(logs) - min(logs)) or 0.5
        return cls(min(logs) - beside, max(logs) + beside, min(qualities) - above, max(qualities) + above)

    def column(self, cost_usd: float) -> int:
        part = (math.log10(cost_usd) - self.left) / (self.right - self.left)
        return min(max(round(part * (WIDTH - 1)), 0), WIDTH - 1)

    def row(self, quality: float) -> int:
        part = (self.top - quality) / (self.top - self.bottom)
        return min(max(round(part * (HEIGHT - 1)), 0), HEIGHT - 1)

    def cost_at(self, column: int) -> float:
        return math.pow(10.0, self.left + (self.right - self.left) * column / (WIDTH - 1))

    def quality_at(self, row: int) -> float:
        return self.top - (self.top - self.bottom) * row / (HEIGHT - 1)


def _axis(frame: _Frame) -> list[Text]:
    """The line below, with a figure at every power of ten."""
    ticks, figures = ["-"] * WIDTH, [" "] * (WIDTH + 6)
    for power in range(math.ceil(frame.left), math.floor(frame.right) + 1):
        column = frame.column(10.0**power)
        ticks[column] = "+"
        label = f"${10.0 ** (power + 3):g}"
        figures[column : column + len(label)] = label
    indent = " " * _MARGIN
    return [Text(indent + "".join(ticks), "dim"), Text(indent + "".join(figures).rstrip(), "dim")]
