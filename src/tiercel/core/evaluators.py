"""From a result to a quality in 0..1: the built-in evaluators of workflow stages (founding system B). Pure."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from fractions import Fraction

from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.quality import as_quality

SUCCESS_QUALITY = 0.9
FAILURE_QUALITY = 0.3
FAILURE_AFTER_ONE_RETRY_QUALITY = 0.5

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def python_code_quality(code: str) -> float:
    """How far `code` looks like finished Python, in tenths that add up to 1.

    .3 if it parses, .2 for a docstring, .2 for annotations, .3 for more than 10 and fewer than 100 lines. Docstrings
    and annotations are looked for in the syntax tree, so code that does not parse has neither.
    """
    tenths = 3 if 10 < len(code.splitlines()) < 100 else 0
    tree = _parsed(code)
    if tree is not None:
        nodes = list(ast.walk(tree))
        tenths += 3
        tenths += 2 * any(isinstance(node, _DOCUMENTED) and ast.get_docstring(node) for node in nodes)
        tenths += 2 * any(_annotated(node) for node in nodes)
    return tenths / 10


def stars_quality(stars: float) -> float:
    """1..5 stars as a quality: (stars - 1) / 4. Raises `InvalidInput` outside of 1..5."""
    if isinstance(stars, bool) or not isinstance(stars, int | float) or not 1 <= stars <= 5:
        raise InvalidInput([Problem("stars", "must be a number in 1..5", repr(stars), "range")])
    return (stars - 1) / 4


def task_quality(*, success: bool, retries: int = 0) -> float:
    """A task's outcome as a quality: .9 for success, .3 for failure, .5 for failure after exactly one retry."""
    if success:
        return SUCCESS_QUALITY
    return FAILURE_AFTER_ONE_RETRY_QUALITY if retries == 1 else FAILURE_QUALITY


def weighted_quality(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of named criteria, each 0..1; the weights are >= 0 and need not sum to 1.

    Raises `InvalidInput` with every problem: a criterion without a score or a weight, numbers out of range, no
    positive weight.
    """
    problems = [
        Problem(f"scores.{name}", "must be a number in 0..1", repr(scores.get(name)), "range")
        for name in weights
        if as_quality(scores.get(name)) is None
    ]
    problems += [Problem(f"weights.{name}", "must be given", kind="missing") for name in scores if name not in weights]
    problems += [
        Problem(f"weights.{name}", "must be a number >= 0", repr(weight), "range")
        for name, weight in weights.items()
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf
    ]
    if not problems and not any(weights.values()):
        problems.append(Problem("weights", "must have one above 0", repr(dict(weights)), "range"))
    if problems:
        raise InvalidInput(problems)
    exact = {name: Fraction(weight) for name, weight in weights.items()}
    return float(sum(Fraction(scores[name]) * weight for name, weight in exact.items()) / sum(exact.values()))


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deeply for the parser
        return None


def _annotated(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.returns is not None
    return isinstance(node, ast.AnnAssign) or (isinstance(node, ast.arg) and node.annotation is not None)
