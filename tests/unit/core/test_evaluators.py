from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.evaluators import (
    python_code_quality,
    stars_quality,
    task_quality,
    weighted_quality,
)
from tiercel.domain.errors import InvalidInput

DOCUMENTED = 'def f():\n    """Doc."""\n'
ANNOTATED = "def f(x: int): pass\n"
BOTH = 'def f(x) -> int:\n    """Doc."""\n'


def lines(code: str, count: int) -> str:
    """`code`, filled up to `count` lines."""
    return code + "\n".join(["x = 1"] * (count - len(code.splitlines())))


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        ("x = 1", 0.3),
        ("def f(:", 0.0),
        ("\x00", 0.0),
        ("(" * 10_000, 0.0),
        (DOCUMENTED, 0.5),
        ('"""Module."""', 0.5),
        ('# a comment is no docstring\nx = \'nor is """this"""\'', 0.3),
        (ANNOTATED, 0.5),
        ("x: int = 1", 0.5),
        ("async def f() -> None: pass", 0.5),
        (BOTH, 0.7),
        (lines(BOTH, 10), 0.7),
        (lines(BOTH, 11), 1.0),
        (lines(BOTH, 99), 1.0),
        (lines(BOTH, 100), 0.7),
        (lines("x =\n", 20), 0.3),  # does not parse, but has the length
        (lines("", 20), 0.6),
    ],
)
def test_python_code(code: str, quality: float) -> None:
    assert python_code_quality(code) == quality


@pytest.mark.parametrize(("stars", "quality"), [(1, 0.0), (2, 0.25), (3, 0.5), (4, 0.75), (5, 1.0), (4.5, 0.875)])
def test_stars(stars: float, quality: float) -> None:
    assert stars_quality(stars) == quality


@pytest.mark.parametrize("stars", [0, 0.99, 5.01, float("nan"), True, "4", None])
def test_stars_out_of_range(stars: object) -> None:
    with pytest.raises(InvalidInput, match=r"stars: must be a number in 1\.\.5"):
        stars_quality(stars)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("success", "retries", "quality"),
    [(True, 0, 0.9), (True, 1, 0.9), (False, 0, 0.3), (False, 1, 0.5), (False, 2, 0.3)],
)
def test_task_outcome(*, success: bool, retries: int, quality: float) -> None:
    assert task_quality(success=success, retries=retries) == quality


def test_weighted_mean() -> None:
    assert weighted_quality({"correct": 1.0, "short": 0.5}, {"correct": 3, "short": 1}) == 0.875
    assert weighted_quality({"a": 0.2, "b": 0.9}, {"a": 0, "b": 7}) == 0.9


@given(st.dictionaries(st.text(), st.tuples(st.floats(0, 1), st.floats(1e-300, 1e300)), min_size=1))
def test_weighted_mean_lies_within(criteria: dict[str, tuple[float, float]]) -> None:
    scores = {name: score for name, (score, _) in criteria.items()}
    quality = weighted_quality(scores, {name: weight for name, (_, weight) in criteria.items()})
    assert min(scores.values()) - 1e-9 <= quality <= max(scores.values()) + 1e-9
    assert quality <= 1.0


def test_weighted_mean_names_every_problem() -> None:
    with pytest.raises(InvalidInput) as error:
        weighted_quality({"a": 1.5, "b": 0.5, "c": 0.5}, {"a": 1, "b": -1, "d": 1})
    assert [problem.path for problem in error.value.problems] == ["scores.a", "scores.d", "weights.c", "weights.b"]
    with pytest.raises(InvalidInput, match="must have one above 0"):
        weighted_quality({"a": 0.5}, {"a": 0})
