"""The feedback loop's three constants, as callers override them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypedDict

from tiercel.domain.errors import Problem

HISTORY = 100
"""Figures are made of so many of the newest ratings, at most."""


class Constants(TypedDict, total=False):
    """What may be overridden, by the constants' own names or in lower case.

    `FEEDBACK_TTL` (seconds, > 0): older ratings are not seen. `MIN_SAMPLES` (1..100): fewer ratings of a tier prove
    nothing. `QUALITY_THRESHOLD` (0..1): below it a tier is not good enough.
    """

    FEEDBACK_TTL: float
    MIN_SAMPLES: int
    QUALITY_THRESHOLD: float
    feedback_ttl: float
    min_samples: int
    quality_threshold: float


def by_name(constants: Mapping[str, object]) -> dict[str, object]:
    """The same, every name in the constants' own spelling."""
    return {name.upper(): value for name, value in constants.items()}


def constant_problems(path: str, constants: Mapping[str, object]) -> list[Problem]:
    """What is wrong with `constants`; `path` is where they stand."""
    return [
        Problem(path + name, expected, repr(value)[:80], "range")
        for name, value in constants.items()
        if (expected := _expected(name.upper(), value))
    ]


def _expected(name: str, value: object) -> str:
    """What `value` would have to be, or "" if it is that."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    match name:
        case "FEEDBACK_TTL":
            return "" if 0 < number < math.inf else "must be a number of seconds above 0"
        case "MIN_SAMPLES":
            whole = 1 <= number <= HISTORY and number == int(number)
            return "" if whole else f"must be a whole number in 1..{HISTORY}: so many ratings are looked at"
        case "QUALITY_THRESHOLD":
            return "" if 0 <= number <= 1 else "must be a number in 0..1"
        case _:
            return "is no constant of the loop: use FEEDBACK_TTL, MIN_SAMPLES or QUALITY_THRESHOLD"
