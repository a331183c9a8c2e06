"""`tiercel changes`."""

from __future__ import annotations

from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_to_read
from tiercel.apps.cli.output import JsonOption, print_json, print_table, working
from tiercel.apps.cli.program import new_program
from tiercel.apps.gateway import change_records
from tiercel.config.urls import without_password

program = new_program()


@program.command()
def changes(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 50,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The audit log: what was changed, when, by whom and why, newest first.

    It reaches back as far as the log is kept ([store] retention_s); an export keeps it for ever.
    """
    url = store_to_read(chosen_settings(config, store).store.url)
    opened = bootstrap.open_store(url)
    try:
        with working(f"reading {without_password(url)}"):
            found = opened.recent_changes(limit)
    finally:
        opened.close()
    shown = [(change, change_records.change(change)) for change in found]
    if as_json:
        print_json([plain for _, plain in shown])
        return
    rows = [
        (
            change.changed_at.isoformat(timespec="seconds"),
            "/".join(change.segment[1:]),
            plain["kind"],
            f"{change.previous or '-'} -> {change.current or '-'}",
            plain["status"] or "-",
            plain["by"] or "-",
            change.reason,
        )
        for change, plain in shown
    ]
    print_table(("when", "where", "what", "change", "status", "by", "reason"), rows)
