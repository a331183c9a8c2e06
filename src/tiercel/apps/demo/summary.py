"""The result of a demo as tables and sentences. Everything fits 80 columns."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tiercel.apps.demo.baselines import Figures
from tiercel.apps.demo.display import dollars, tier_style, tier_text
from tiercel.apps.demo.picture import Mark, picture
from tiercel.apps.demo.result import BEST, MIX, OTHERS, RANDOM, Result
from tiercel.apps.demo.table import MODELS, latencies
from tiercel.core.hull import Point


def summarise(console: Console, result: Result) -> None:
    """Print what tiercel reached beside the choices without it, what was saved, and what was learned on the way."""
    console.print(_comparison(result))
    console.print(_saved(result))
    if result.budget_usd is not None:
        console.print(_spent(result, result.budget_usd))
    console.print()
    console.print(_drawn(result))
    console.print(f"\n{_beside_mix(result)}\n")
    console.print(_moved_stages(result) if result.stages[0].tier else _stages(result))
    console.print(Text(_sources(result), "dim"))


def _table(*columns: tuple[str, bool]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, is_number in columns:
        table.add_column(heading, justify="right" if is_number else "left")
    return table


def _comparison(result: Result) -> Table:
    numbers = ("quality", "per 1,000", "in all", "latency", "tiercel beside it")
    table = _table(("", False), *((number, True) for number in numbers))
    table.add_row("tiercel", *_cells(result.tiercel, result.requests), "", style="bold")
    for name, figures in result.others.items():
        table.add_row(name, *_cells(figures, result.requests), _beside(result.tiercel, figures))
    return table


def _cells(figures: Figures, requests: int) -> tuple[str, ...]:
    per_thousand, in_all = dollars(1000 * figures.cost_usd), dollars(requests * figures.cost_usd)
    return f"{figures.quality:.3f}", per_thousand, in_all, f"{figures.latency_ms / 1000:.1f} s"


def _beside(tiercel: Figures, other: Figures) -> str:
    """The difference to another choice: "-98% cost, -6.1 points"."""
    ratio = tiercel.cost_usd / other.cost_usd
    # close to everything saved, a whole per cent would claim all of it
    cost = f"{ratio:.1f}x" if ratio >= 2 else f"{ratio - 1:+.{1 if ratio < 0.01 else 0}%}"
    return f"{cost} cost, {100 * (tiercel.quality - other.quality):+5.1f} points"


def _saved(result: Result) -> Text:
    best = result.others[BEST]
    share = 1 - result.tiercel.cost_usd / best.cost_usd
    points = 100 * (best.quality - result.tiercel.quality)
    quality = f"for {points:.1f} points of quality" if points > 0 else f"and {-points:.1f} points of quality gained"
    if share <= 0:
        return Text(f"\nSaved against always-best: nothing, it cost {-share:.1%} more.", "bold yellow")
    return Text(f"\nSaved against always-best: {share:.1%} of the cost, {quality}.", "bold green")


def _spent(result: Result, budget_usd: float) -> str:
    budget, spent = dollars(1000 * budget_usd), dollars(1000 * result.tiercel.cost_usd)
    return f"Budget: {budget} per 1,000 requests; spent {spent}, {result.tiercel.cost_usd / budget_usd:.1%} of it."


def _drawn(result: Result) -> Text:
    marks = [Mark(Point(result.tiercel.cost_usd, result.tiercel.quality), "*", "tiercel", "bold")]
    for model in MODELS:
        figures = result.others[OTHERS[model.tier]]
        marks.append(Mark(Point(figures.cost_usd, figures.quality), "o", OTHERS[model.tier], tier_style(model.tier)))
    figures = result.others[RANDOM]
    marks.append(Mark(Point(figures.cost_usd, figures.quality), "o", RANDOM))
    return picture(marks, result.hull, result.budget_usd)


def _beside_mix(result: Result) -> str:
    half = f", in the last half {_points(result.last_half.gain)}" if result.last_half else ""
    return (
        f"Dotted: the {MIX}, the fixed odds between two models that are best for so\n"
        f"much money, which nobody knows beforehand (the hindsight hull).\n"
        f"For its money tiercel was {_points(result.gain)}{half}."
    )


def _points(gain: float) -> str:
    points = 100 * gain
    return f"{abs(points):.1f} points {'better' if points > 0 else 'worse'}" if abs(points) >= 0.05 else "as good"


def _stages(result: Result) -> Table:
    """How good each model alone would have been, and what share of the newest half it has."""
    table = _table(("stage", False), ("asked", True), ("quality", True))
    for model in MODELS:
        table.add_column(tier_text(model.tier).append("\nalone, has"), justify="right")
    for stage in result.stages:
        cells = [f"{stage.alone[model.tier]:.3f} {stage.shares[model.tier]:>5.0%}" for model in MODELS]
        table.add_row(stage.name, f"{stage.requests:,}", f"{stage.quality:.3f}", *cells)
    return table


def _moved_stages(result: Result) -> Table:
    table = _table(("stage", False), ("asked", True), ("quality", True), ("served by", False), ("because", False))
    for stage in result.stages:
        moves = [move for move in result.moves if move.stage == stage.name]
        path = tier_text(*(move.previous for move in moves), stage.tier or "")
        reason = f"{moves[-1].reason} at {moves[-1].previous}" if moves else stage.reason
        table.add_row(stage.name, f"{stage.requests:,}", f"{stage.quality:.3f}", path, Text(reason or "", "dim"))
    return table


def _sources(result: Result) -> str:
    rated = f"{result.lag.ratings:,}, {result.lag.requests} requests later (median)" if result.lag else "none"
    stand_ins = "\n".join(
        f"  {measured.host} {measured.measured} for {model.model_id}"
        for model in MODELS
        for measured in (latencies()[model.model_id],)
    )
    return (
        f"\nAnswers rated: {rated}. The run took {result.took_s:.1f} s.\n"
        "Quality and cost are as recorded for each prompt and model, over the whole run,\n"
        "learning included; the rows beside tiercel are computed from the same record.\n"
        f"Latencies, here not sped up, are drawn from real requests to stand-ins:\n{stand_ins}"
    )
