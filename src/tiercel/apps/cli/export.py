"""`tiercel export`."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.adapters.parquet_log import ParquetArchive, writing
from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_that_lasts
from tiercel.apps.cli.output import JsonOption, note, print_json, working
from tiercel.apps.cli.program import new_program
from tiercel.config.urls import without_password
from tiercel.services.export import Exported, export_log
from tiercel.services.export import shown as place

program = new_program()


@program.command()
def export(
    *,
    parquet: Annotated[Path, typer.Option(metavar="DIR", help="The folder to add to; made where there is none.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Go on although a part of the log was lost since the last time.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what was logged since the last time as Parquet, by day.

    DuckDB, Polars, Spark and `tiercel ope` read the folder. The log is not changed. Interrupted, it goes on from where
    it was.
    """
    url = store_that_lasts("--store", chosen_settings(config, store).store.url)
    shown = without_password(url)
    with working(f"exporting {shown}") as say, writing(parquet) as archive, closing(bootstrap.open_store(url)) as log:

        def progress(events: int, at: datetime) -> None:
            say(f"exporting {shown}: {events:,} events, up to {at:%Y-%m-%d %H:%M}")

        exported = export_log(log, archive, again=again, progress=progress)
    if exported.missing_from is not None:
        note(
            f"what was logged after position {place(exported.missing_from)} and up to {place(exported.after)} "
            f"is missing in {parquet}"
        )
    _report(shown, parquet, exported, archive, as_json=as_json)


def _report(store: str, folder: Path, exported: Exported, archive: ParquetArchive, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "store": store,
                "folder": str(folder),
                "events": exported.events,
                "after": exported.after,
                "position": exported.position,
                "missing_from": exported.missing_from,
                "rows": dict(archive.rows),
                "parts": archive.parts,
                "bytes": archive.size_bytes,
            }
        )
    elif exported.events:
        rows = ", ".join(f"{count:,} {table}" for table, count in archive.rows.items())
        typer.echo(
            f"{folder}: {exported.events:,} events up to position {place(exported.position)} ({rows}) in "
            f"{archive.parts:,} files of {archive.size_bytes / 1e6:,.1f} MB"
        )
    else:
        typer.echo(f"{folder}: nothing new since position {place(exported.position)}")
