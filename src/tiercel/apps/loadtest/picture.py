"""A load test over time as a picture: who answered, how fast, how much was asked and failed, and the alerts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tiercel.apps.loadtest.result import LoadResult, Raised
from tiercel.domain.errors import MissingDependency

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (10.0, 10.0)
_DOTS = 110
_SHOWN_ALERTS = 14
_COLOURS = {"INFO": "C0", "WARNING": "C1", "ERROR": "C3", "CRITICAL": "darkred"}


def check_picture() -> None:
    """Raise before the test what `draw` would after it: `MissingDependency`."""
    if find_spec("matplotlib") is None:
        raise MissingDependency("matplotlib", "evaluate", "drawing a picture")


def draw(result: LoadResult, path: Path) -> None:
    """Write the picture to an .svg or a .png file. See `check_picture`."""
    # an extra, and a second to import
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    kind = path.suffix.removeprefix(".")
    metadata = {"Date": None, "Creator": "tiercel"} if kind == "svg" else {"Software": "tiercel"}
    with rc_context({"svg.hashsalt": "tiercel", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        shares, latency, load, alerts = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 2, 2))
        _draw_shares(shares, result)
        _draw_latency(latency, result)
        _draw_load(load, result)
        _draw_alerts(alerts, result.alerts, result.settings.lasts_s)
        for axes in (shares, latency, load, alerts):
            for part in result.settings.load.marks.values():
                axes.axvline(part * result.settings.lasts_s, color="black", linestyle="--", linewidth=0.8)
        for name, part in result.settings.load.marks.items():
            place = (part * result.settings.lasts_s, 1.02)
            shares.annotate(name, place, xycoords=shares.get_xaxis_transform(), ha="center", fontsize=8)
        alerts.set_xlabel("seconds since the start")
        alerts.set_xlim(0, result.settings.lasts_s)
        figure.suptitle(f"{result.settings.scenario}: {result.requests:,} requests, {result.failures:,} failed")
        figure.savefig(path, format=kind, dpi=_DOTS, metadata=metadata)


def _draw_shares(axes: Axes, result: LoadResult) -> None:
    # an empty window has no shares: the line goes on from the last that has
    seen = [window for window in result.windows if window.shares]
    if not seen:
        return
    models = sorted(result.shares)
    times = [(window.start_s + window.end_s) / 2 for window in seen]
    axes.stackplot(times, *([window.shares.get(m, 0.0) for window in seen] for m in models), labels=models, alpha=0.8)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of the answers")
    axes.legend(loc="center left", fontsize=8)


def _draw_latency(axes: Axes, result: LoadResult) -> None:
    for name in ("p50", "p95", "p99"):
        points = [(w.start_s, value) for w in result.windows if (value := getattr(w.latency_ms, name)) is not None]
        axes.plot([at_s for at_s, _ in points], [value for _, value in points], label=name)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("latency, ms")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)


def _draw_load(axes: Axes, result: LoadResult) -> None:
    times = [window.start_s for window in result.windows]
    for name, values in (("requests", "requests"), ("failures", "failures")):
        per_s = [getattr(window, values) / (window.end_s - window.start_s) for window in result.windows]
        axes.plot(times, per_s, label=name, drawstyle="steps-post", color="C3" if name == "failures" else "C7")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("per second")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)


def _draw_alerts(axes: Axes, alerts: Sequence[Raised], lasts_s: float) -> None:
    shown = alerts[:_SHOWN_ALERTS]
    for row, alert in enumerate(shown):
        end_s = lasts_s if alert.resolved_s is None else min(alert.resolved_s, lasts_s)
        width_s = max(end_s - alert.raised_s, lasts_s / 200)
        axes.barh(-row, width_s, left=alert.raised_s, color=_COLOURS.get(alert.severity, "C7"), height=0.7)
        what = " ".join(filter(None, (alert.kind, alert.rule, alert.model, alert.stage)))
        axes.annotate(
            what, (alert.raised_s, -row), (-4, 0), textcoords="offset points", ha="right", va="center", fontsize=6
        )
    more = f", first {_SHOWN_ALERTS} shown" if len(alerts) > len(shown) else ""
    axes.set_ylabel(f"{len(alerts)} alerts{more}")
    axes.set_yticks([])
    axes.set_ylim(-max(len(shown), 1) + 0.5, 0.5)
