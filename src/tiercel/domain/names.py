"""What a name may be (a workflow, stage, agent, session, source or tier as callers write it), and a named figure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite

from tiercel.domain.errors import Problem

MAX_NAME_BYTES = 256
MAX_NAMES = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]").search


def name_problem(path: str, name: object) -> Problem | None:
    """What is wrong with `name`, or None.

    Any character is allowed but control characters and lone surrogates: at most 256 bytes of UTF-8, not empty.
    """
    if not isinstance(name, str):
        return Problem(path, "must be a string", repr(name)[:80], "type")
    if not name:
        return Problem(path, "must not be empty", "''", "range")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return Problem(path, "must be valid Unicode", repr(name)[:80], "value")
    if size > MAX_NAME_BYTES:
        return Problem(path, f"must be at most {MAX_NAME_BYTES} bytes", f"{size} bytes", "range")
    if _CONTROL(name):
        return Problem(path, "must not hold control characters", repr(name)[:80], "value")
    return None


def names_problems(path: str, names: object) -> list[Problem]:
    """What is wrong with a list of names: at most 64, each a name."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        return [Problem(path, "must be a list of names", repr(names)[:80], "type")]
    if len(names) > MAX_NAMES:
        return [Problem(path, f"must be at most {MAX_NAMES} names", str(len(names)), "range")]
    return [problem for i, name in enumerate(names) if (problem := name_problem(f"{path}[{i}]", name))]


def figures_problems(path: str, figures: object) -> list[Problem]:
    """What is wrong with named figures: at most 64, each a name with a finite number."""
    if not isinstance(figures, Mapping):
        return [Problem(path, "must be names with numbers", repr(figures)[:80], "type")]
    if len(figures) > MAX_NAMES:
        return [Problem(path, f"must be at most {MAX_NAMES} figures", str(len(figures)), "range")]
    problems = [problem for name in figures if (problem := name_problem(path, name))]
    for name, value in figures.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            problems.append(Problem(f"{path}.{name}", "must be a finite number", repr(value)[:80], "type"))
    return problems
