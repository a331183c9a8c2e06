"""`tiercel stats`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_to_read
from tiercel.apps.cli.output import JsonOption, figure, print_json, print_table, working
from tiercel.apps.cli.program import new_program
from tiercel.config.urls import without_password
from tiercel.core.statistics.fold import OVERALL, Key, model_key
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.performance import CallMetrics, TimeRange
from tiercel.library.performance import PerformanceTracker

program = new_program()

_FIGURES = ("requests", "success", "mean ms", "p50 ms", "p95 ms", "p99 ms", "cost $", "quality", "ratings")


@program.command()
def stats(
    *,
    store: StoreOption = None,
    config: ConfigOption = None,
    time_range: Annotated[
        TimeRange | None, typer.Option("--time-range", help="Only what is newer. Default: all time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What the models' calls did: success, latency, cost and quality.

    Latencies are over successful calls; quantiles are within 1 % of the value.
    """
    url = chosen_settings(config, store).store.url
    with working(f"reading {without_password(url)}"), PerformanceTracker(store_to_read(url)) as tracker:
        if away := tracker.learner.status().error:
            raise StoreUnavailable(away)
        called = {key[1] for key in tracker.learner.knowledge.keys(("model",)) if len(key) == 2}
        models = [_measured(tracker, model_id, time_range) for model_id in called]
        overall = {**tracker.overall_metrics(time_range=time_range).to_dict(), **_rated(tracker, OVERALL, time_range)}
    models.sort(key=lambda model: (-model["total_requests"], model["model_id"]))
    if as_json:
        print_json({"store": without_password(url), "time_range": time_range, "overall": overall, "models": models})
        return
    rows = [(model["model_id"], *_cells(model)) for model in models]
    print_table(("model", *_FIGURES), [*rows, ("all", *_cells(overall))], numbers=_FIGURES)


def _measured(tracker: PerformanceTracker, model_id: str, time_range: TimeRange | None) -> dict[str, Any]:
    metrics: CallMetrics = tracker.model_metrics(model_id, time_range=time_range)
    return {**metrics.to_dict(), **_rated(tracker, model_key(model_id), time_range)}


def _rated(tracker: PerformanceTracker, key: Key, time_range: TimeRange | None) -> dict[str, Any]:
    since_s = tracker.learner.clock.now().timestamp() - time_range.window_s if time_range else None
    sums = tracker.learner.knowledge.sums(key, since_s=since_s)
    return {"avg_quality": sums.mean_quality, "ratings": sums.ratings}


def _cells(figures: dict[str, Any]) -> Sequence[str]:
    latency = figures["latency"]
    return (
        figure(figures["total_requests"], ","),
        figure(figures["success_rate"], ".1%"),
        *(figure(latency[name], ",.0f") for name in ("avg", "p50", "p95", "p99")),
        figure(figures["cost_usd"], ",.4f"),
        figure(figures["avg_quality"], ".3f"),
        figure(figures["ratings"], ","),
    )
