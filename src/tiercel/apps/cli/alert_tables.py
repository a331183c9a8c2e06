"""Alerts as tables, and what rules would have done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer

from tiercel.apps.cli.output import print_table
from tiercel.domain.alerts import Alert, AlertKey
from tiercel.services.alerting.dry_run import DryRun, Episode


def print_alerts(alerts: Sequence[Alert]) -> None:
    """A line for each, the newest first."""
    if not alerts:
        typer.echo("no alert in the log")
        return
    rows = [
        (
            _shown(alert.timestamp),
            alert.severity,
            alert.message,
            _shown(alert.resolved_at) if alert.resolved_at else "active",
            alert.acknowledged_by or "-",
            alert.alert_id,
        )
        for alert in alerts
    ]
    print_table(("fired", "severity", "message", "resolved", "taken by", "id"), rows)


def print_dry_run(report: DryRun, rules: Sequence[str]) -> None:
    """Every incident there would have been, and how many of each kind."""
    if report.first is None or report.last is None:
        typer.echo("the log is empty: nothing to rehearse on")
        return
    rows = [
        (
            _named(episode.key),
            _about(episode.key),
            _shown(episode.fired_at),
            _shown(episode.resolved_at) if episode.resolved_at else "at the end it stands",
            _length(episode, report.last),
            episode.fired,
            episode.breach.message,
        )
        for episode in report.episodes
    ]
    columns = ("rule", "of", "fired", "resolved", "lasted", "times", "at its worst")
    if rows:
        print_table(columns, rows, numbers=("lasted", "times"))
    silent = sorted(set(rules) - {episode.key.rule for episode in report.episodes})
    count = len(report.episodes)
    over = f"{report.events:,} events from {_shown(report.first)} to {_shown(report.last)} UTC"
    typer.echo(f"{count} incident{'' if count == 1 else 's'} in {over}")
    if silent:
        typer.echo(f"never fired: {', '.join(silent)}")


def episode_json(episode: Episode) -> dict[str, Any]:
    """One incident as plain values."""
    return {
        "alert_type": episode.key.alert_type,
        "rule": episode.key.rule or None,
        "model_id": episode.key.model_id,
        "segment": list(episode.key.segment),
        "severity": episode.breach.severity,
        "message": episode.breach.message,
        "metric_value": episode.breach.metric_value,
        "threshold_value": episode.breach.threshold_value,
        "fired_at": episode.fired_at.isoformat(),
        "resolved_at": episode.resolved_at.isoformat() if episode.resolved_at else None,
        "times_fired": episode.fired,
    }


def _named(key: AlertKey) -> str:
    return key.rule or key.alert_type


def _about(key: AlertKey) -> str:
    return " in ".join(filter(None, (key.model_id or "", "/".join(key.segment[1:])))) or "everything"


def _length(episode: Episode, end: datetime) -> str:
    minutes, seconds = divmod(round(((episode.resolved_at or end) - episode.fired_at).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _shown(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"
