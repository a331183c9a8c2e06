"""A rule of the operator's own: which figure of what is watched, and from where on it is how bad."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from tiercel.domain.alerts import Severity
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.names import name_problem

MAX_WINDOW_S = 8 * 86_400
"""Figures are exact to an hour within it."""


class Metric(StrEnum):
    """What a rule may watch."""

    LATENCY_P50_MS = "latency_p50_ms"
    LATENCY_P95_MS = "latency_p95_ms"
    LATENCY_P99_MS = "latency_p99_ms"
    SUCCESS_RATE = "success_rate"
    QUALITY = "quality"
    COST_USD_PER_REQUEST = "cost_usd_per_request"
    SPEND_USD = "spend_usd"
    FEEDBACK_SILENCE_S = "feedback_silence_s"
    RATED_SHARE = "rated_share"
    PROBE_STARVATION_S = "probe_starvation_s"


class Reading(NamedTuple):
    """How a metric is called in a message, how its figures are written, and whether more of it is worse."""

    title: str
    form: str
    rising: bool = True

    def write(self, value: float) -> str:
        """A figure as messages have it."""
        return self.form.format(value)


READINGS: Mapping[Metric, Reading] = {
    Metric.LATENCY_P50_MS: Reading("P50 latency", "{:.1f}ms"),
    Metric.LATENCY_P95_MS: Reading("P95 latency", "{:.1f}ms"),
    Metric.LATENCY_P99_MS: Reading("P99 latency", "{:.1f}ms"),
    Metric.SUCCESS_RATE: Reading("Success rate", "{:.1%}", rising=False),
    Metric.QUALITY: Reading("Quality", "{:.3f}", rising=False),
    Metric.COST_USD_PER_REQUEST: Reading("Cost per request", "${:.6g}"),
    Metric.SPEND_USD: Reading("Spend", "${:.2f}"),
    Metric.FEEDBACK_SILENCE_S: Reading("Time without a rating", "{:.0f}s"),
    Metric.RATED_SHARE: Reading("Rated share of the calls", "{:.1%}", rising=False),
    Metric.PROBE_STARVATION_S: Reading("Time without a trial", "{:.0f}s"),
}
_SHARES = (Metric.SUCCESS_RATE, Metric.QUALITY, Metric.RATED_SHARE)
_SCOPES = ("model", "tier", "workflow", "stage", "agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """[[rules]]: one figure, looked at over the last `window_s` seconds, and its threshold for each severity.

    `model`, `workflow`, `stage` and `agent` are globs. Each that matches is looked at by itself and has incidents of
    its own; what is not given is looked at together. `tier` goes with probe starvation only. Nothing is said of fewer
    than `minimum_sample` calls (of ratings, for quality; a sum of money needs none). `resolve_after_s` is that of
    [alerts] where it is not given. At a threshold is beyond it.
    Raises `InvalidInput` with every problem at once.
    """

    name: str
    metric: str
    model: str = ""
    tier: str = ""
    workflow: str = ""
    stage: str = ""
    agent: str = ""
    warning: float | None = None
    error: float | None = None
    critical: float | None = None
    window_s: float = 900.0
    minimum_sample: int = 10
    resolve_after_s: float | None = None

    def __post_init__(self) -> None:
        of_figures = _figure_problems(self)
        problems = [*_scope_problems(self), *of_figures]
        if not isinstance(self.metric, str) or self.metric not in frozenset(Metric):
            known = ", ".join(Metric)
            problems.append(Problem("metric", f"must be one of {known}", repr(self.metric)[:80], "unknown"))
        elif not {"warning", "error", "critical"} & {problem.path for problem in of_figures}:
            problems += _threshold_problems(self)
        if problems:
            raise InvalidInput(problems)

    @property
    def reading(self) -> Reading:
        """How its metric is read."""
        return READINGS[Metric(self.metric)]

    @property
    def by_segment(self) -> bool:
        """Whether it looks at stages or agents one by one."""
        return bool(self.workflow or self.stage or self.agent)

    @property
    def ladder(self) -> tuple[tuple[Severity, float], ...]:
        """Its thresholds, the worst first."""
        steps = ((Severity.CRITICAL, self.critical), (Severity.ERROR, self.error), (Severity.WARNING, self.warning))
        return tuple((severity, limit) for severity, limit in steps if limit is not None)


def _scope_problems(rule: AlertRule) -> list[Problem]:
    given = [(name, getattr(rule, name)) for name in _SCOPES]
    found = [name_problem("name", rule.name), *(name_problem(name, glob) for name, glob in given if glob != "")]
    problems = [problem for problem in found if problem is not None]
    if rule.agent and (rule.workflow or rule.stage):
        problems.append(Problem("agent", "excludes workflow and stage: a call is looked at under one of them"))
    if rule.tier and rule.metric != Metric.PROBE_STARVATION_S:
        problems.append(Problem("tier", f"goes with metric = {Metric.PROBE_STARVATION_S.value!r} only"))
    if rule.tier and rule.model:
        problems.append(Problem("tier", "excludes model: a trial is one of a model or one of a tier"))
    return problems


def _figure_problems(rule: AlertRule) -> list[Problem]:
    problems = []
    for name in ("window_s", "resolve_after_s", "minimum_sample", "warning", "error", "critical"):
        value = getattr(rule, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            problems.append(Problem(name, "must be a number", repr(value)[:80], "type"))
        elif value is not None and not abs(value) <= sys.float_info.max:
            problems.append(Problem(name, "must be finite", repr(value)[:80], "range"))
    if problems:
        return problems
    if not 0 < rule.window_s <= MAX_WINDOW_S:
        problems.append(
            Problem("window_s", f"must be above 0 and at most {MAX_WINDOW_S}", f"{rule.window_s:g}", "range")
        )
    if rule.minimum_sample < 1 or rule.minimum_sample != int(rule.minimum_sample):
        wanted = "must be a whole number of at least 1"
        problems.append(Problem("minimum_sample", wanted, f"{rule.minimum_sample:g}", "range"))
    if rule.resolve_after_s is not None and rule.resolve_after_s < 0:
        problems.append(Problem("resolve_after_s", "must be 0 or more", f"{rule.resolve_after_s:g}", "range"))
    return problems


def _threshold_problems(rule: AlertRule) -> list[Problem]:
    named = ("warning", "error", "critical")
    given = [(name, limit) for name in named if isinstance(limit := getattr(rule, name), int | float)]
    if not given:
        return [Problem("warning", "at least one threshold is needed: warning, error or critical", "", "missing")]
    top = 1.0 if rule.metric in _SHARES else math.inf
    problems = [
        Problem(name, "must be in 0..1" if top == 1.0 else "must be 0 or more", f"{limit:g}", "range")
        for name, limit in given
        if not 0 <= limit <= top
    ]
    word = "above" if rule.reading.rising else "below"
    problems += [
        Problem(name, f"must be {word} {milder} ({limit:g})", f"{worse:g}", "range")
        for (milder, limit), (name, worse) in pairwise(given)
        if not (worse > limit if rule.reading.rising else worse < limit)
    ]
    return problems
