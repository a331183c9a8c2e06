"""What calls of one model in one segment take: tokens and money per shape of prompt, as sums that fade and add.

A call weighs 2 ** (its time in half-lives of `HALF_LIFE_S`): prices and habits of models change over weeks. Where they
were found to have changed at once, the clock was moved on (`ticks`), by the same for every call since. The sums
are relative to 2 ** landmark, as in moments.py, and add in any order.
"""

from __future__ import annotations

import math
from operator import add
from typing import Any

HALF_LIFE_S = 7 * 86_400
_REBASE_AFTER = 64
_TOLERANCE = 1e-9
CALLS, TOKENED, PROMPT, COMPLETION, COSTED, COST = range(6)
_NOTHING = (0.0,) * 6

Row = list[Any]


class Usage:
    """Per shape: calls; those with known tokens, and their tokens; those with known cost, and their cost in USD.

    `total` are the sums over all shapes.
    """

    __slots__ = ("landmark", "shapes", "total")

    def __init__(self, landmark: int = 0) -> None:
        self.landmark = landmark
        self.shapes: dict[int, tuple[float, ...]] = {}
        self.total: tuple[float, ...] = _NOTHING

    def add_call(
        self,
        shape: int,
        at_us: int,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cost_usd: float | None,
        *,
        ticks: float = 0.0,
    ) -> None:
        """Add what one call took, as far as it is known; about 2 us."""
        tick = at_us / (HALF_LIFE_S * 1e6) + ticks
        if abs(tick - self.landmark) > _REBASE_AFTER:
            self._rebase(math.floor(tick) if not self.shapes else max(self.landmark, math.floor(tick)))
        g = math.exp2(tick - self.landmark)
        tokened = completion_tokens is not None
        self._add(
            shape,
            (
                g,
                g if tokened else 0.0,
                g * (prompt_tokens or 0) if tokened else 0.0,
                g * (completion_tokens or 0),
                0.0 if cost_usd is None else g,
                g * (cost_usd or 0.0),
            ),
        )

    def merge(self, other: Usage) -> None:
        """Add the sums of another process, or of another time."""
        self._rebase(max(self.landmark, other.landmark) if self.shapes else other.landmark)
        factor = math.ldexp(1.0, other.landmark - self.landmark)
        for shape, sums in other.shapes.items():
            self._add(shape, tuple([factor * value for value in sums]))

    def of(self, shape: int) -> tuple[float, ...]:
        """The sums of one shape."""
        return self.shapes.get(shape, _NOTHING)

    def _add(self, shape: int, sums: tuple[float, ...]) -> None:
        self.shapes[shape] = tuple(map(add, self.of(shape), sums))
        self.total = tuple(map(add, self.total, sums))

    def _rebase(self, landmark: int) -> None:
        if landmark == self.landmark:
            return
        factor = math.ldexp(1.0, self.landmark - landmark) if self.shapes else 1.0
        self.shapes = {shape: tuple([factor * v for v in sums]) for shape, sums in self.shapes.items()}
        self.total = tuple([factor * v for v in self.total])
        self.landmark = landmark

    def to_row(self) -> Row:
        """As plain values; for stores."""
        return [self.landmark, [[shape, *sums] for shape, sums in sorted(self.shapes.items())]]

    @classmethod
    def from_row(cls, row: Row) -> Usage:
        """The inverse of `to_row`. Raises `ValueError` for a row that is none."""
        landmark, shapes = row
        usage = cls(landmark)
        for shape, *sums in shapes:
            if len(sums) != len(_NOTHING):
                raise ValueError(f"{len(sums)} sums of a shape's usage")
            usage._add(shape, tuple(sums))
        return usage

    def __eq__(self, other: object) -> bool:
        """Equal up to 1e-9: the last digits of a sum of floats depend on the order of its terms."""
        if not isinstance(other, Usage) or self.shapes.keys() != other.shapes.keys():
            return False
        factor = math.ldexp(1.0, other.landmark - self.landmark) if self.shapes else 1.0
        return all(
            math.isclose(a, factor * b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
            for shape, sums in self.shapes.items()
            for a, b in zip(sums, other.shapes[shape], strict=True)
        )

    __hash__ = None  # type: ignore[assignment]
