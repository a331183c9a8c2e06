"""What a policy is to reach, as options of commands."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import typer

from tiercel.config.settings import RouteSettings
from tiercel.domain.errors import InvalidInput, Problem

_WEIGHTS = {"q": "quality_weight", "c": "cost_weight", "l": "latency_weight"}

TargetOption = Annotated[
    float | None, typer.Option("--target-quality", metavar="Q", help="Least cost at this mean quality.", min=0, max=1)
]
BudgetOption = Annotated[
    float | None, typer.Option("--budget", metavar="USD", help="Best quality at this mean cost per request.")
]
WeightsOption = Annotated[
    str | None, typer.Option("--weights", metavar="q=1,c=..,l=..", help="Weights of quality, cost and latency.")
]


def with_goal(
    route: RouteSettings, *, target_quality: float | None, budget: float | None, weights: str | None
) -> RouteSettings:
    """`route` with the goal that is given in place of its own. Raises `InvalidInput` for two goals or a bad one."""
    options = {"--target-quality": target_quality, "--budget": budget, "--weights": weights}
    given = [name for name, option in options.items() if option is not None]
    if not given:
        return route
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)} exclude each other: give one of them")
    if budget is not None and not (math.isfinite(budget) and budget > 0):
        raise InvalidInput([Problem("--budget", "must be above 0 USD per request", repr(budget), "range")])
    read = _weights(weights)
    return replace(
        route,
        target_quality=target_quality,
        budget_usd_per_request=budget,
        quality_weight=read.get("quality_weight"),
        cost_weight=read.get("cost_weight"),
        latency_weight=read.get("latency_weight"),
    )


def _weights(text: str | None) -> dict[str, float]:
    """What "q=1,c=0.5" says, by the settings' names."""
    weights: dict[str, float] = {}
    for part in text.split(",") if text is not None else ():
        name, _, value = part.strip().partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if name not in _WEIGHTS or _WEIGHTS[name] in weights or not 0 <= number < math.inf:
            said = "must be like q=1,c=0.5,l=0, each at most once and 0 or more"
            raise InvalidInput([Problem("--weights", said, repr(text))])
        weights[_WEIGHTS[name]] = number
    return weights
