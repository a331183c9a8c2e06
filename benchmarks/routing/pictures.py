"""The pictures of the page, drawn from the figures alone: the same SVG for the same figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tiercel.core.hull import Hull, Point

_STEPS = 60
_DRAWN = ("contextual", "segment", "thompson", "paretobandit", "paretobandit + task", "vowpalwabbit squarecb")
_COLUMNS = 3


def draw_all(figures: Mapping[str, Any], folder: Path) -> None:
    """Every picture the figures suffice for."""
    folder.mkdir(parents=True, exist_ok=True)
    if "budgets" in figures:
        _save(folder / "frontier.svg", lambda figure: _frontier(figure, figures["budgets"]))
        _save(folder / "learning.svg", lambda figure: _learning(figure, figures["budgets"]))
    if "ranking" in figures:
        _save(folder / "ranking.svg", lambda figure: _ranking(figure, figures["ranking"]))
    if "scenarios" in figures:
        rows = figures["scenarios"]["rows"]
        height = 2.4 * -(-len(rows) // _COLUMNS)
        _save(folder / "scenarios.svg", lambda figure: _scenarios(figure, figures["scenarios"]), height=height)


def _save(path: Path, draw: Callable[[Figure], None], *, height: float = 5.0) -> None:
    # text stays text, and the names inside the file are the same in every run
    with rc_context({"svg.hashsalt": "tiercel", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(9.0, height), layout="constrained")
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": "tiercel"})
    path.write_text("\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n")


def _frontier(figure: Figure, section: Mapping[str, Any]) -> None:
    axes = figure.add_subplot()
    models = section["models"]["task"]
    hull = Hull.of(Point(model["cost_usd"], model["quality"]) for model in models)
    low, high = models[0]["cost_usd"], models[-1]["cost_usd"]
    costs = [low * (high / low) ** (i / _STEPS) for i in range(_STEPS + 1)]
    axes.plot(costs, [hull.quality_at(cost) for cost in costs], "--", color="black", label="hull of fixed mixes")
    axes.plot([m["cost_usd"] for m in models], [m["quality"] for m in models], "ks", label="always one model")
    for model in models:
        # to the inside
        side, across = ("right", -4) if model is models[-1] else ("left", 4)
        place = (model["cost_usd"], model["quality"])
        axes.annotate(model["model"], place, (across, 8), textcoords="offset points", ha=side)
    for number, policy in enumerate(_DRAWN):
        rows = [r for r in section["rows"] if r["policy"] == policy and r["segment"] == "task"]
        if rows:
            _points(axes, rows, policy, f"C{number}")
    published = section.get("published", {})
    if published:
        axes.plot(
            published["budgets_usd"], published["warm"], "x:", color="grey", label="ParetoBandit, published, warm"
        )
    axes.set_xscale("log")
    qualities = [model["quality"] for model in models]
    axes.set_ylim(min(qualities) - 0.02, max(qualities) + 0.02)
    axes.set_xlabel("mean cost per request, USD")
    axes.set_ylabel("mean quality")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")


def _points(axes: Axes, rows: Sequence[Mapping[str, Any]], label: str, colour: str) -> None:
    means = [row["quality"]["mean"] for row in rows]
    ends = [row["quality"]["ci"] or (mean, mean) for row, mean in zip(rows, means, strict=True)]
    reach = [[mean - low for mean, (low, _) in zip(means, ends, strict=True)]]
    reach.append([high - mean for mean, (_, high) in zip(means, ends, strict=True)])
    costs = [row["cost_usd"] for row in rows]
    axes.errorbar(costs, means, yerr=reach, fmt="o-", markersize=4, capsize=2, color=colour, label=label)


def _learning(figure: Figure, section: Mapping[str, Any]) -> None:
    axes = figure.add_subplot()
    for number, (budget, curve) in enumerate(section["curves"].items()):
        count = len(curve["mean"])
        parts = [(i + 0.5) / count * section["queries"] for i in range(count)]
        axes.plot(parts, curve["mean"], color=f"C{number}", label=f"${float(budget):.2g} a request")
        axes.fill_between(parts, curve["low"], curve["high"], color=f"C{number}", alpha=0.15, linewidth=0)
    axes.axhline(0.0, color="black", linestyle="--", linewidth=0.8)
    axes.set_xlabel("requests")
    axes.set_ylabel("gain over the hull of the same requests")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")


def _ranking(figure: Figure, section: Mapping[str, Any]) -> None:
    benchmarks = list(dict.fromkeys(row["benchmark"] for row in section["rows"]))
    for number, benchmark in enumerate(benchmarks, start=1):
        axes = figure.add_subplot(1, len(benchmarks), number)
        for colour, row in enumerate(r for r in section["rows"] if r["benchmark"] == benchmark):
            curve = row["curve"]
            calls = [100 * i / (len(curve["mean"]) - 1) for i in range(len(curve["mean"]))]
            axes.plot(calls, curve["mean"], color=f"C{colour}", label=row["learned"])
            axes.fill_between(calls, curve["low"], curve["high"], color=f"C{colour}", alpha=0.15, linewidth=0)
        axes.plot([0, 100], [0, 1], "--", color="black", linewidth=0.8, label="random")
        axes.set_title(f"{benchmark}, {row['labels']:,} labels")
        axes.set_xlabel("calls to the strong model, %")
        axes.set_ylabel("gap recovered")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")


def _scenarios(figure: Figure, section: Mapping[str, Any]) -> None:
    rows = section["rows"]
    for number, row in enumerate(rows, start=1):
        axes = figure.add_subplot(-(-len(rows) // _COLUMNS), _COLUMNS, number)
        for colour, (model, shares) in enumerate(row["shares"].items()):
            places = [(i + 0.5) * section["window"] for i in range(len(shares["mean"]))]
            axes.plot(places, shares["mean"], color=f"C{colour}", label=model)
            low = [max(0.0, value) for value in shares["low"]]
            high = [min(1.0, value) for value in shares["high"]]
            axes.fill_between(places, low, high, color=f"C{colour}", alpha=0.15, linewidth=0)
        for turn in row["turns"]:
            if turn:
                axes.axvline(turn, color="black", linestyle=":", linewidth=0.8)
        axes.set_title(row["name"])
        axes.set_ylim(-0.03, 1.03)
        axes.legend(loc="center right", fontsize=6)
