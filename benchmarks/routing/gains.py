"""What is gained over the best fixed mix of the models, after learning, when few answers are rated and late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from benchmarks.routing.data import Source
from benchmarks.routing.measures import Spec
from benchmarks.routing.plan import Plan, Results, Section, summary

from tiercel.core.replay.books import Terms
from tiercel.core.replay.table import OutcomeTable

BUDGETS = 5
REQUESTS = 3_000
"""So many of RouteLLM's queries are drawn for each repeat."""
LATEST_REQUESTS = 5_000
CONDITIONS = ((1.0, 0), (0.3, 0), (0.1, 0), (0.03, 0), (1.0, 300))
LATEST = (1.0, 3_000)
MUST_SHOW = (1.0, 0.1)
"""At these rates, and without delay, something is to be shown."""


def budgets(outcomes: OutcomeTable, count: int = BUDGETS) -> list[float]:
    """Between the cheapest model's mean cost and the dearest's, without these, evenly by logarithm."""
    costs = [model.cost_usd or 0.0 for model in outcomes.figures()]
    return [costs[0] * (costs[-1] / costs[0]) ** (i / (count + 1)) for i in range(1, count + 1)]


def lines(plan: Plan) -> list[Spec]:
    """Both tables under every condition; the longest delay only where the stream is longer."""
    found = _table_lines(plan, "ParetoBandit", plan.paretobandit, 0, CONDITIONS)
    if plan.folder is not None:
        routellm = Source("routellm")
        found += _table_lines(plan, "RouteLLM", routellm, REQUESTS, CONDITIONS)
        found += _table_lines(plan, "RouteLLM", routellm, LATEST_REQUESTS, (LATEST,))
    return found


def _table_lines(
    plan: Plan, label: str, source: Source, requests: int, conditions: Sequence[tuple[float, int]]
) -> list[Spec]:
    at = budgets(plan.table(source))
    if plan.quick:
        at, conditions, requests = at[1::2], conditions[:3:2], 1_000
    return [
        Spec(
            row=(label, f"{rate:g}", str(delay), f"{budget:.3g}"),
            source=source,
            policy="contextual",
            repeats=plan.repeats if delay == 0 and rate in MUST_SHOW else plan.few,
            terms=Terms(feedback_rate=rate, delay=delay, requests=requests),
            budget_usd=budget,
        )
        for rate, delay in conditions
        for budget in at
    ]


def figures(plan: Plan, results: Results) -> dict[str, Any]:  # noqa: ARG001 - one signature for all sections
    """A row for each table, condition and budget, and of each table's stationary streams the alarms."""
    rows = []
    for spec, measured in results.items():
        label, rate, delay, budget = spec.row
        rows.append(
            {
                "table": label,
                "rate": float(rate),
                "delay": int(delay),
                "budget_usd": float(budget),
                "repeats": len(measured),
                "quality": summary(measured, "quality"),
                "spend_over_budget": _spend(measured, spec),
                "gain": summary(measured, "gain"),
                "gain_last_half": summary(measured, "gain_last_half"),
                "alarms": sum(one["alarms"] for one in measured),
                "labels": sum(one["labels"] for one in measured),
            }
        )
    return {"rows": rows, "alarms": _alarms(rows)}


def _spend(measured: Sequence[Any], spec: object) -> float | None:
    cost = summary(measured, "cost_usd")["mean"]
    budget = spec.budget_usd if isinstance(spec, Spec) else None
    return cost / budget if isinstance(cost, float) and budget else None


def _alarms(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Per table, over all stationary streams: how often a model was said to have changed, for how many ratings."""
    tables = groupby(sorted(rows, key=lambda row: str(row["table"])), key=lambda row: str(row["table"]))
    return {
        label: {name: sum(row[name] for row in of_table) for name in ("alarms", "labels")}
        for label, group in tables
        for of_table in [list(group)]
    }


def above(rows: Sequence[Mapping[str, Any]], table: str, rate: float, delay: int) -> tuple[int, int]:
    """At how many of the budgets the interval of the gain in the last half lies above 0, and of how many."""
    here = [row for row in rows if (row["table"], row["rate"], row["delay"]) == (table, rate, delay)]
    intervals = [row["gain_last_half"]["ci"] for row in here]
    return sum(ci is not None and ci[0] > 0 for ci in intervals), len(here)


SECTION = Section("gains", needs_folder=False, lines=lines, figures=figures)
