"""`tiercel approvals`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_that_lasts, store_to_read
from tiercel.apps.cli.output import JsonOption, figure, note, print_json, print_table, working
from tiercel.apps.cli.program import new_program
from tiercel.apps.gateway import change_records
from tiercel.config.urls import without_password
from tiercel.domain.changes import Change, ChangeStatus
from tiercel.domain.errors import StoreUnavailable
from tiercel.library.router import Router
from tiercel.services.changing.approvals import APPROVE, REJECT, STOP, Answer

program = new_program()

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The change, by its id in the list.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; everyone who looks is told.")]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so. Default: local.")]


@program.callback(invoke_without_command=True)
def approvals(
    context: typer.Context,
    *,
    status: Annotated[ChangeStatus | None, typer.Option("--status", help="Only those in that state.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Changes that wait for a yes, roll out, or did: list and answer them.

    tiercel approvals

    tiercel approvals approve change_... --reason "checked by hand"
    """
    if context.invoked_subcommand is not None:
        return
    settings = chosen_settings(config, store)
    url = store_to_read(settings.store.url)
    with working(f"reading {without_password(url)}"), Router(settings=settings, store=url) as router:
        if away := router.learner.status().error:
            raise StoreUnavailable(away)
        shown = [(change, _plain(router, change)) for change in router.changes.changes(status)]
    if as_json:
        print_json([plain for _, plain in shown])
        return
    if not shown:
        note("there is no such change; routes ask where changes is set (docs/approvals.md)")
    columns = ("id", "where", "from", "to", "status", "share", "better by", "since", "by", "reason")
    print_table(columns, [_cells(change, plain) for change, plain in shown], numbers=("share",))


def _answering(answer: Answer, change_id: str, reason: str, by: str, options: tuple[Any, Any, bool]) -> None:
    store, config, as_json = options
    settings = chosen_settings(config, store)
    url = store_that_lasts("--store", settings.store.url)
    with working(f"writing to {without_password(url)}"), Router(settings=settings, store=url) as router:
        change = router.changes.answer(change_id, answer, by=by, note=reason)
        shown = _plain(router, change)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"{change.id}: {_where(change)} {change.previous} -> {change.current} is {change.status}")


@program.command()
def approve(
    change_id: IdArgument,
    *,
    reason: ReasonOption = "",
    by: ByOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say yes to a change that waits."""
    _answering(APPROVE, change_id, reason, by, (store, config, as_json))


@program.command()
def reject(
    change_id: IdArgument,
    *,
    reason: ReasonOption,
    by: ByOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say no to a change that waits, and why."""
    _answering(REJECT, change_id, reason, by, (store, config, as_json))


@program.command()
def stop(
    change_id: IdArgument,
    *,
    reason: ReasonOption,
    by: ByOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a rollout and go back, and say why."""
    _answering(STOP, change_id, reason, by, (store, config, as_json))


def _where(change: Change) -> str:
    return "/".join(change.segment[1:])


def _plain(router: Router, change: Change) -> dict[str, Any]:
    return change_records.approval(change, router.changes.compared(change))


def _cells(change: Change, shown: dict[str, Any]) -> tuple[str, ...]:
    low, high = shown["interval"] or (None, None)
    return (
        change.id,
        _where(change),
        change.previous,
        change.current,
        change.status,
        figure(change.share or None, ".0%"),
        "-" if low is None else f"{low:+.3f}..{high:+.3f}",
        change.stepped_at.isoformat(timespec="seconds"),
        change.decided_by or "-",
        change.step_reason,
    )
