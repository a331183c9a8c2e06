"""Small systems against numpy."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tiercel.core.beliefs.linear import dot, outer, solve


@pytest.mark.parametrize("size", [1, 2, 3, 8, 24])
@pytest.mark.parametrize("ridge", [1e-6, 0.1, 50.0])
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_solve_against_numpy(size: int, ridge: float, rows: int) -> None:
    """Without rows, with fewer than unknowns, and with enough of them."""
    chance = random.Random(f"{size}/{ridge}/{rows}")
    vectors = [[chance.gauss(0, 1) for _ in range(size)] for _ in range(rows)]
    triangle = [0.0] * (size * (size + 1) // 2)
    for z in vectors:
        triangle = [a + b for a, b in zip(triangle, outer(z), strict=True)]
    right = [chance.gauss(0, 3) for _ in range(size)]
    made = np.array(vectors).reshape(rows, size)
    matrix = made.T @ made + ridge * np.eye(size)
    found = np.array(solve(triangle, right, ridge))
    # the residual is what Cholesky bounds; the solution itself is as sure as the matrix lets it be
    scale = np.abs(matrix).max() * np.abs(found).max() + np.abs(right).max()
    assert np.abs(matrix @ found - right).max() <= 1e-12 * scale
    expected = np.linalg.solve(matrix, np.array(right))
    assert np.abs(found - expected).max() <= 1e-12 * np.linalg.cond(matrix) * np.abs(expected).max()


def test_no_unknowns() -> None:
    assert solve([], [], 1.0) == []


def test_rounding_below_semidefinite_breaks_nothing() -> None:
    found = solve([1.0, 1.0 + 1e-12, 1.0], [1.0, 1.0], 1e-15)
    assert all(abs(value) < 1e16 for value in found)


def test_products() -> None:
    assert dot([1.0, 2.0], [3.0, 4.0]) == 11.0
    assert outer([1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
