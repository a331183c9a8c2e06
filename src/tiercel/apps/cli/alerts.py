"""`tiercel alerts`: list, acknowledge, dry-run."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Literal

import typer

from tiercel import bootstrap
from tiercel.apps.cli.alert_tables import episode_json, print_alerts, print_dry_run
from tiercel.apps.cli.choice import (
    ConfigOption,
    StoreOption,
    chosen_settings,
    found_config,
    store_that_lasts,
    store_to_read,
)
from tiercel.apps.cli.log_choice import chosen_log, log_progress
from tiercel.apps.cli.output import JsonOption, print_json, working
from tiercel.apps.cli.program import new_program
from tiercel.config.settings import Settings
from tiercel.config.urls import without_password
from tiercel.domain.alerts import AlertKey
from tiercel.domain.errors import InvalidInput, Problem, StoreUnavailable
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.alerting.dry_run import rehearse

program = new_program()

RECORD_S = 30.0
LimitOption = Annotated[int, typer.Option("--limit", help="At most so many, the newest.", min=1)]


@program.callback()
def alerts() -> None:
    """What is wrong and what was: list, acknowledge, and rehearse rules over the log."""


@program.command("list")
def list_alerts(
    *,
    status: Annotated[Literal["active", "resolved"] | None, typer.Option(help="Only these.")] = None,
    limit: LimitOption = 50,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The alerts in the log, the newest first. Nothing is looked for: that is the gateway's task."""
    settings = chosen_settings(config, store)
    with _alerting(settings, store_to_read(settings.store.url)) as alerting:
        found = alerting.history
    if status is not None:
        found = [alert for alert in found if (alert.resolved_at is None) is (status == "active")]
    found = found[:limit]
    if as_json:
        print_json([alert.to_dict() for alert in found])
    else:
        print_alerts(found)


@program.command()
def acknowledge(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT_ID", help="As in the list.")],
    *,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who takes care of it. Default: your login.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What there is to say.")] = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody takes care of an alert. The first who says so has done it."""
    settings = chosen_settings(config, store)
    url = store_that_lasts("--store", settings.store.url)
    with _alerting(settings, url) as alerting:
        alert = alerting.acknowledge(alert_id, by or getpass.getuser(), note, timeout_s=RECORD_S)
    if as_json:
        print_json(alert.to_dict())
    else:
        typer.echo(
            f"{alert.alert_id}: {alert.acknowledged_by} takes care of it since {alert.acknowledged_at:%F %T} UTC"
        )


@program.command("dry-run")
def dry_run(
    *,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="LOG", help="A store's address, a SQLite file or the folder of an export. Default: --config's"
        ),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME", help="Only this rule of one's own; repeatable.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """When rules would have fired and resolved, had they watched the log at its own times.

    Without --rule, every rule of the configuration and the built-in thresholds.
    """
    path = found_config(config)
    settings = chosen_settings(path, None)
    source, events = chosen_log("--log", log or settings.store.url)
    rules = settings.rules if not rule else tuple(one for one in settings.rules if one.name in rule)
    missing = sorted(set(rule or ()) - {one.name for one in rules})
    if missing:
        known = ", ".join(one.name for one in settings.rules) or "none: write [[rules]] into the configuration"
        raise InvalidInput([Problem("--rule", f"must be one of the rules ({known})", repr(missing[0]), "unknown")])
    wanted: Callable[[AlertKey], bool] = (lambda key: key.rule in rule) if rule else (lambda _: True)
    tiers = {model.model_id: model.tier for model in settings.models}
    with log_progress(f"replaying {source}", bootstrap.SYSTEM_CLOCK.now()) as say:
        report = rehearse(events(), settings.alerts, rules, tiers=tiers, keep=wanted, progress=say)
    if as_json:
        times = {"first": report.first and report.first.isoformat(), "last": report.last and report.last.isoformat()}
        incidents = [episode_json(episode) for episode in report.episodes]
        print_json({"log": source, "events": report.events, **times, "incidents": incidents})
    else:
        print_dry_run(report, [one.name for one in rules])


@contextmanager
def _alerting(settings: Settings, url: str) -> Iterator[Alerting]:
    """The history in a store."""
    with (
        working(f"reading {without_password(url)}"),
        closing(bootstrap.open_store(url)) as store,
        closing(bootstrap.build_learner(store, settings)) as learner,
    ):
        if away := learner.status().error:
            raise StoreUnavailable(away)
        with closing(Alerting(learner, settings.alerts, rules=settings.rules)) as alerting:
            yield alerting
