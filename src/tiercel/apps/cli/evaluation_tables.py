"""The result of `tiercel evaluate` for people."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from tiercel.apps.cli.output import figure, per_thousand, print_table
from tiercel.apps.evaluation.result import Evaluation
from tiercel.core.replay.figures import Interval, Result
from tiercel.core.replay.frontier import CurveFigures
from tiercel.core.replay.reactions import ReactionSummary

_FIGURES = ("quality", "$ / 1,000", "over hull", "in last half", "regret", "spent", "decide us")
_CURVE = ("cost at 95 %", "AIQ", "CPT50", "CPT80", "APGR")


def print_evaluation(evaluation: Evaluation) -> None:
    """Everything on stdout; +- is half a 95 % interval over the repeats."""
    study = evaluation.study
    table, repeats = study.table, study.settings.repeats
    typer.echo(f"{len(table.queries):,} queries of {len(table.tasks)} tasks, {repeats} repeats; 95 % intervals\n")
    rows: list[Sequence[object]] = [_model_row(evaluation, model) for model in table.models]
    rows += [(name.replace("_", " "), *_cells(result)) for name, result in evaluation.baselines.items()]
    rows += [(f"* {name}", *_cells(result)) for name, result in evaluation.policies.items()]
    print_table(("", *_FIGURES), rows, numbers=_FIGURES)
    typer.echo("")
    _print_shares(evaluation)
    for name, result in evaluation.policies.items():
        if result.scenario is not None:
            typer.echo(f"\n{name}: {_reaction(result.scenario)}")
    if evaluation.hull_curve is not None:
        _print_frontiers(evaluation, evaluation.hull_curve)


def _model_row(evaluation: Evaluation, model: str) -> Sequence[object]:
    table = evaluation.study.table
    figures = table.figures()[table.models.index(model)]
    on_hull = any(vertex.model == model for vertex in evaluation.hull)
    cells = (f"{figures.quality:.4f}", per_thousand(figures.cost_usd), "on it" if on_hull else "")
    return (f"always {model}", *cells, *("" for _ in _FIGURES[3:]))


def _cells(result: Result) -> Sequence[str]:
    return (
        f"{result.quality:.4f}{_half(result.quality_ci, '.4f')}",
        f"{per_thousand(result.cost_usd)}{_half(result.cost_ci, '.4f', 1000)}",
        f"{figure(result.gain_over_hull, '+.4f')}{_half(result.gain_ci, '.4f')}",
        f"{figure(result.gain_over_hull_last_half, '+.4f')}{_half(result.gain_last_half_ci, '.4f')}",
        f"{result.regret:,.1f}",
        figure(result.spend_over_budget, ".1%"),
        figure(result.decide_us, ",.0f"),
    )


def _half(interval: Interval | None, form: str, times: float = 1) -> str:
    """Half of an interval that has any width."""
    if interval is None or interval[0] == interval[1]:
        return ""
    return f" +- {times * (interval[1] - interval[0]) / 2:{form}}"


def _print_shares(evaluation: Evaluation) -> None:
    models = evaluation.study.table.models
    results = {**evaluation.baselines, **{f"* {name}": result for name, result in evaluation.policies.items()}}
    rows = [
        (name.replace("_", " "), *(f"{result.share[model]:.1%}" for model in models))
        for name, result in results.items()
        if name not in {"random", "cheapest", "best_single"}
    ]
    print_table(("share of requests", *models), rows, numbers=models)


def _reaction(scenario: ReactionSummary) -> str:
    said = [
        f"from request {change.at} on ({', '.join(change.models)}) its share went "
        f"from {change.share_before:.0%} to {change.share_after:.0%}"
        for change in scenario.changes
    ]
    if any(change.acted is not None for change in scenario.changes):
        said.append(f"acted after {figure(scenario.detection_delay, 'g')} ratings of it")
    if scenario.recovery_delay is not None:
        said.append(f"took it back after {scenario.recovery_delay:g} ratings of it")
    if scenario.newcomer_share is not None:
        said.append(f"the newcomer had {scenario.newcomer_share:.0%} of its best segment within 500 requests")
    return "; ".join(said)


def _print_frontiers(evaluation: Evaluation, hull_curve: CurveFigures) -> None:
    for name, frontier in evaluation.frontiers.items():
        typer.echo(f"\n{name} by budget")
        rows = [(per_thousand(budget), *_cells(result)) for budget, result in frontier.points]
        print_table(("budget / 1,000", *_FIGURES), rows, numbers=("budget / 1,000", *_FIGURES))
    typer.echo("")
    rows = [("fixed mixes", *_curve_cells(hull_curve))]
    rows += [(f"* {name}", *_curve_cells(frontier.curve)) for name, frontier in evaluation.frontiers.items()]
    print_table(("frontier", *_CURVE), rows, numbers=_CURVE)


def _curve_cells(curve: CurveFigures) -> Sequence[str]:
    return (
        figure(curve.cost_at_95, ".1%"),
        figure(curve.aiq, ".4f"),
        figure(curve.cpt50, ".1f"),
        figure(curve.cpt80, ".1f"),
        figure(curve.apgr, ".3f"),
    )
