"""Quality against cost as a picture: the models, the hull of their fixed mixes, and what the policies reached."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tiercel.apps.evaluation.result import Evaluation
from tiercel.apps.evaluation.study import Study
from tiercel.core.hull import Hull, Point
from tiercel.core.replay.figures import Result
from tiercel.domain.errors import InvalidInput, MissingDependency

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (9.0, 6.0)
_STEPS = 60


def check_plot(study: Study) -> None:
    """Raise before the work what `svg_of` would after it: `InvalidInput` without costs, `MissingDependency`."""
    if not study.table.has_costs:
        raise InvalidInput("a plot of quality against cost needs costs, which this table does not have")
    if find_spec("matplotlib") is None:
        raise MissingDependency("matplotlib", "evaluate", "drawing a plot")


def svg_of(evaluation: Evaluation) -> str:
    """The picture as SVG, the same for the same result. See `check_plot`."""
    # an extra, and a second to import
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    # text stays text, and the names inside the file are the same in every run
    with rc_context({"svg.hashsalt": "tiercel", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, evaluation)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": "tiercel"})
    return written.getvalue()


def _draw(axes: Axes, evaluation: Evaluation) -> None:
    table = evaluation.study.table
    models = [model for model in table.figures() if model.cost_usd is not None]
    costs = [model.cost_usd for model in models if model.cost_usd is not None]
    hull = Hull(tuple(Point(vertex.cost_usd, vertex.quality) for vertex in evaluation.hull))
    _draw_hull(axes, hull, costs[-1])
    axes.plot(costs, [model.quality for model in models], "s", color="black", markersize=5, label="always one model")
    for number, (model, cost) in enumerate(zip(models, costs, strict=True)):
        # to the inside, and by turns above and below, for models of like cost stand close together
        side, sign = ("right", -1) if cost == costs[-1] else ("left", 1)
        offset = (5 * sign, (-12, 6)[number % 2])
        axes.annotate(model.model_id, (cost, model.quality), offset, textcoords="offset points", fontsize=8, ha=side)
    for number, (name, result) in enumerate(evaluation.policies.items()):
        colour = f"C{number % 10}"
        frontier = evaluation.frontiers.get(name)
        if frontier is not None:
            _draw_points(axes, [reached for _, reached in frontier.points], f"{name}, by budget", colour, "o-")
        _draw_points(axes, [result], name, colour, "D")
    oracle = evaluation.baselines["oracle"]
    if oracle.cost_usd is not None:
        axes.plot([oracle.cost_usd], [oracle.quality], "*", color="grey", markersize=10, label="oracle")
    if min(costs) > 0:
        axes.set_xscale("log")
    axes.set_xlabel("mean cost per request, USD")
    axes.set_ylabel("mean quality")
    axes.set_title(f"{len(table.queries):,} queries, {evaluation.study.settings.repeats} repeats, 95 % intervals")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")


def _draw_hull(axes: Axes, hull: Hull, dearest_usd: float) -> None:
    """Straight in cost, so bent where cost is drawn by its logarithm; flat after the best model."""
    first = hull.vertices[0].cost_usd
    ratio = dearest_usd / first if first > 0 else 0.0
    evenly = [first * ratio ** (i / _STEPS) if ratio else dearest_usd * i / _STEPS for i in range(_STEPS + 1)]
    costs = sorted({*evenly, *(vertex.cost_usd for vertex in hull.vertices)})
    axes.plot(costs, [hull.quality_at(cost) for cost in costs], "--", color="black", label="hull of fixed mixes")


def _draw_points(axes: Axes, results: Sequence[Result], label: str, colour: str, form: str) -> None:
    costs = [result.cost_usd or 0.0 for result in results]
    axes.errorbar(
        costs,
        [result.quality for result in results],
        xerr=_errors([(cost, result.cost_ci) for cost, result in zip(costs, results, strict=True)]),
        yerr=_errors([(result.quality, result.quality_ci) for result in results]),
        fmt=form,
        color=colour,
        markersize=5,
        capsize=2,
        linewidth=1.2,
        label=label,
    )


def _errors(values: Sequence[tuple[float, tuple[float, float] | None]]) -> list[list[float]]:
    """How far the intervals reach below and above; nothing where there is none."""
    reach = [(0.0, 0.0) if ci is None else (max(0.0, v - ci[0]), max(0.0, ci[1] - v)) for v, ci in values]
    return [[below for below, _ in reach], [above for _, above in reach]]
