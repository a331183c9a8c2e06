"""How a test reports the figure of its row: printed, kept where it is asked for, and held to its target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.reliability.records import Record, keep, rate

from support.told import tell

_T = TypeVar("_T")


class Reported:
    """The figures of one test. `full`: in the sizes that the rows name, not in those of every day."""

    def __init__(self, test: str, *, full: bool = False, folder: Path | None = None) -> None:
        self._test = test
        self.full = full
        self._folder = folder

    def size(self, short: _T, full: _T) -> _T:
        """How much of it to do."""
        return full if self.full else short

    def none(self, row: str, what: str, *, of: int, bad: int = 0, seeds: object = "") -> None:
        """`bad` of so many tries went wrong; none may."""
        figure, bound = rate(bad, of)
        self._keep(row, what, figure, target="0", met=bad == 0 < of, seeds=seeds, bound=bound)
        assert bad == 0, f"{what}: {figure}"
        assert of > 0, f"{what}: nothing was tried"

    def most(
        self,
        row: str,
        what: str,
        figure: float,
        most: float,
        *,
        unit: str = "",
        fails_at: float | None = None,
        seeds: object = "",
    ) -> None:
        """A figure that may be `most`. `fails_at` is beyond what a busy machine makes of it: there the test fails."""
        shown = _shown(unit)
        self._keep(row, what, shown(figure), target=f"<= {shown(most)}", met=figure <= most, seeds=seeds)
        assert figure <= (most if fails_at is None else fails_at), f"{what}: {shown(figure)}"

    def told(self, row: str, what: str, figure: str, *, seeds: object = "") -> None:
        """A figure without a target: the row asks for no more than to know it."""
        self._keep(row, what, figure, target="to be known", met=True, seeds=seeds)

    def _keep(
        self, row: str, what: str, figure: str, *, target: str, met: bool, seeds: object, bound: str = ""
    ) -> None:
        record = Record(row, what, figure, target, met, self._test, str(seeds), self.full, bound)
        tell(f"{row}: {what}: {figure} {bound} (target {target})")
        if self._folder is not None:
            keep(record, self._folder)


def _shown(unit: str) -> Callable[[float], str]:
    return lambda figure: f"{figure:,.4g} {unit}".strip()
