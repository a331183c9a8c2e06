"""What ratings say of one model in one segment, as sums that fade and add: the moments of a regression.

With z the figures of a request (core/features.py, without the shape), r the rating and g = weight * 2 ** tick:

    per segment and model    sum g z z' (upper triangle), sum g r^2
    per shape of prompt      sum g, sum g r, sum g z, sum g r z

Everything is a sum, so two processes' moments merge by addition, and a rating is taken back by subtraction. The sums
are kept relative to 2 ** landmark, a whole number near the newest tick; moving the landmark is exact, for it multiplies
by a power of two. (Forward decay: see label_clock.py.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

NO_SHAPE = -1
"""The shape of what came without features."""
_REBASE_AFTER = 64
_TOLERANCE = 1e-9

Row = list[Any]


class ShapeMoments:
    """The sums of one shape of prompt."""

    __slots__ = ("n", "r", "rz", "z")

    def __init__(self, size: int) -> None:
        self.n = self.r = 0.0
        self.z = [0.0] * size
        self.rz = [0.0] * size

    def add(self, other: ShapeMoments, factor: float) -> None:
        """Add `factor` times `other`."""
        self.n += factor * other.n
        self.r += factor * other.r
        self.z = [a + factor * b for a, b in zip(self.z, other.z, strict=True)]
        self.rz = [a + factor * b for a, b in zip(self.rz, other.rz, strict=True)]


class Moments:
    """The moments of one model in one segment, in one basis of `size` figures."""

    __slots__ = ("landmark", "rr", "shapes", "size", "zz")

    def __init__(self, size: int, landmark: int = 0) -> None:
        self.size = size
        self.landmark = landmark
        self.rr = 0.0
        self.zz = [0.0] * (size * (size + 1) // 2)
        self.shapes: dict[int, ShapeMoments] = {}

    def add_label(self, shape: int, z: Sequence[float], quality: float, weight: float, tick: float) -> None:
        """Add one rating; a negative weight takes it back. About 6 us at 8 figures."""
        g = weight * self._scale(tick)
        of_shape = self._shape(shape)
        of_shape.n += g
        of_shape.r += g * quality
        self.rr += g * quality * quality
        if z:
            gz = [g * value for value in z]
            of_shape.z = [a + b for a, b in zip(of_shape.z, gz, strict=True)]
            of_shape.rz = [a + quality * b for a, b in zip(of_shape.rz, gz, strict=True)]
            products = [a * b for i, a in enumerate(gz) for b in z[i:]]
            self.zz = [a + b for a, b in zip(self.zz, products, strict=True)]

    def merge(self, other: Moments) -> None:
        """Add the sums of another process, or of another time. Raises `ValueError` for another basis' size."""
        if other.size != self.size:
            raise ValueError(f"moments of {other.size} figures do not add to moments of {self.size}")
        self._rebase(max(self.landmark, other.landmark))
        factor = math.ldexp(1.0, other.landmark - self.landmark)
        self.rr += factor * other.rr
        self.zz = [a + factor * b for a, b in zip(self.zz, other.zz, strict=True)]
        for number, theirs in other.shapes.items():
            self._shape(number).add(theirs, factor)

    def _scale(self, tick: float) -> float:
        if tick - self.landmark > _REBASE_AFTER:
            self._rebase(math.floor(tick))
        return math.exp2(tick - self.landmark)

    def _shape(self, number: int) -> ShapeMoments:
        held = self.shapes.get(number)
        if held is None:
            held = self.shapes[number] = ShapeMoments(self.size)
        return held

    def _rebase(self, landmark: int) -> None:
        if landmark == self.landmark:
            return
        factor = math.ldexp(1.0, self.landmark - landmark)
        self.landmark = landmark
        self.rr *= factor
        self.zz = [factor * value for value in self.zz]
        shapes, self.shapes = self.shapes, {}
        for number, of_shape in shapes.items():
            self._shape(number).add(of_shape, factor)

    def to_row(self) -> Row:
        """As plain values; for stores."""
        shapes = [[number, of.n, of.r, *of.z, *of.rz] for number, of in sorted(self.shapes.items())]
        return [self.size, self.landmark, self.rr, self.zz, shapes]

    @classmethod
    def from_row(cls, row: Row) -> Moments:
        """The inverse of `to_row`. Raises `ValueError` for a row that is none."""
        size, landmark, rr, zz, shapes = row
        moments = cls(size, landmark)
        if len(zz) != len(moments.zz):
            raise ValueError(f"{len(zz)} products for {size} figures")
        moments.rr, moments.zz = rr, list(zz)
        for number, *sums in shapes:
            of_shape = moments._shape(number)
            of_shape.n, of_shape.r = sums[:2]
            of_shape.z, of_shape.rz = sums[2 : 2 + size], sums[2 + size :]
            if len(of_shape.z) != size or len(of_shape.rz) != size:
                raise ValueError(f"{len(sums)} sums of a shape for {size} figures")
        return moments

    def __eq__(self, other: object) -> bool:
        """Equal up to 1e-9 of the largest sum: the last digits of a sum of floats depend on the order of its terms."""
        if not isinstance(other, Moments) or self.size != other.size:
            return False
        landmark = max(self.landmark, other.landmark)
        ours, theirs = self._sums(landmark), other._sums(landmark)
        return all(
            math.isclose(ours.get(place, 0.0), theirs.get(place, 0.0), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
            for place in ours.keys() | theirs.keys()
        )

    __hash__ = None  # type: ignore[assignment]

    def _sums(self, landmark: int) -> dict[tuple[int | None, int], float]:
        factor = math.ldexp(1.0, self.landmark - landmark)
        sums: dict[tuple[int | None, int], float] = {(None, i): factor * v for i, v in enumerate((self.rr, *self.zz))}
        for number, of in self.shapes.items():
            sums |= {(number, i): factor * v for i, v in enumerate((of.n, of.r, *of.z, *of.rz))}
        return sums
