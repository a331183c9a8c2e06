"""Quality for a budget, on ParetoBandit's test split: tiercel's policies, the rules, and the opponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.routing.data import DEMO
from benchmarks.routing.measures import Measured, Spec
from benchmarks.routing.opponents import OPPONENTS, PARETOBANDIT_TASK, PRICES, SQUARECB, best_within, missing
from benchmarks.routing.plan import Plan, Results, Section, band, model_points, summary
from benchmarks.routing.published import BUDGETS_USD, MOST_SPEND, PARETOBANDIT_WARM

from tiercel.core.replay.books import Terms

BY_TASK, WITHOUT, ALL_MODELS, WARM = "task", "none", "task, 4 models", "task, warm"
LEARNING = ("contextual", "segment", "thompson")
RULES = ("tier-rules", "adaptive-score")
KNN_REPEATS = 1


def lines(plan: Plan) -> list[Spec]:
    """Every policy at every budget; the rules, and squarecb at its prices, once, for they know no budgets."""
    base = Spec(row=(), source=plan.paretobandit, policy="", repeats=plan.repeats)
    few = replace(base, repeats=plan.few)
    found = _at_budgets(plan, replace(base, keep="curve"), "contextual", BY_TASK)
    found += _at_budgets(plan, replace(base, terms=Terms(segmented=False)), "contextual", WITHOUT)
    if base.source.name != DEMO:
        every = replace(few, source=replace(base.source, models=()))
        found += _at_budgets(plan, every, "contextual", ALL_MODELS)
        warm = replace(few, warm=plan.other_split)
        found += _at_budgets(plan, warm, "contextual", WARM)
        if not missing(PARETOBANDIT_TASK):
            found += _at_budgets(plan, warm, PARETOBANDIT_TASK, WARM)
    for policy in LEARNING[1:]:
        found += _at_budgets(plan, few, policy, BY_TASK)
    if not plan.quick:
        found += _at_budgets(plan, replace(base, repeats=KNN_REPEATS), "knn", BY_TASK)
    found += [replace(few, row=(policy, BY_TASK, ""), policy=policy) for policy in RULES]
    return found + _opponents(plan, few)


def _at_budgets(plan: Plan, base: Spec, policy: str, label: str) -> list[Spec]:
    return [
        replace(base, row=(policy, label, f"{budget:g}"), policy=policy, budget_usd=budget) for budget in _budgets(plan)
    ]


def _opponents(plan: Plan, base: Spec) -> list[Spec]:
    found: list[Spec] = []
    for name in OPPONENTS:
        if missing(name):
            continue
        if name == SQUARECB:
            found += [replace(base, row=(name, BY_TASK, f"{p:g}"), policy=name, price=p) for p in PRICES]
        else:
            found += _at_budgets(plan, base, name, BY_TASK)
    return found


def _budgets(plan: Plan) -> Sequence[float]:
    return BUDGETS_USD[1:4:2] if plan.quick else BUDGETS_USD


def figures(plan: Plan, results: Results) -> dict[str, Any]:
    """A row for each policy, labels and budget."""
    rows: list[dict[str, Any]] = []
    curves: dict[str, Any] = {}
    priced: dict[float, Sequence[Measured]] = {}
    alarms = labels = 0
    for spec, measured in results.items():
        policy, label, _ = spec.row
        budget = spec.budget_usd if isinstance(spec, Spec) else None
        if policy == SQUARECB:
            priced[float(spec.row[2])] = measured
        elif policy in RULES:
            rows += [_row(policy, label, at, measured) for at in _budgets(plan)]
        else:
            rows.append(_row(policy, label, budget, measured))
        if "curve" in measured[0]:
            curves[f"{budget:g}"] = band([one["curve"] for one in measured])
        if policy == "contextual" and label == BY_TASK:
            alarms += sum(one["alarms"] for one in measured)
            labels += sum(one["labels"] for one in measured)
    for budget in _budgets(plan) if priced else ():
        best = best_within(priced, budget, most_spend=MOST_SPEND)
        if best is not None:
            rows.append(_row(SQUARECB, BY_TASK, budget, best[1]) | {"price": best[0]})
    sources = {BY_TASK: plan.paretobandit}
    if plan.paretobandit.name != DEMO:
        sources[ALL_MODELS] = replace(plan.paretobandit, models=())
    return {
        "table": plan.paretobandit.name,
        "split": plan.paretobandit.split,
        "queries": len(plan.table(plan.paretobandit).queries),
        "warm_queries": 0 if plan.folder is None else len(plan.table(plan.other_split).queries),
        "models": {label: model_points(plan.table(source)) for label, source in sources.items()},
        "rows": rows,
        "curves": curves,
        "stationary": {"alarms": alarms, "labels": labels},
        "published": {"budgets_usd": BUDGETS_USD, "warm": PARETOBANDIT_WARM},
        "missing": {name: missing(name) for name in OPPONENTS if missing(name)},
    }


def _row(policy: str, label: str, budget: float | None, measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    cost = summary(measured, "cost_usd")["mean"]
    assert isinstance(cost, float)  # noqa: S101 - these tables have costs
    return {
        "policy": policy,
        "segment": label,
        "budget_usd": budget,
        "repeats": len(measured),
        "quality": summary(measured, "quality"),
        "cost_usd": cost,
        "spend_over_budget": cost / budget if budget else None,
        "gain": summary(measured, "gain"),
        "gain_last_half": summary(measured, "gain_last_half"),
    }


SECTION = Section("budgets", needs_folder=False, lines=lines, figures=figures)
