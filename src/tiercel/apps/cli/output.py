"""What commands print: tables for people, JSON for programs, notes and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 200
"""Columns where the output is not a terminal: nothing is to be folded that a program may look for."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def console(stream: IO[str] | None = None) -> Console:
    """A console on `stream` (default: stdout); colours only on a terminal, and nothing in a text is markup."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def print_json(value: object) -> None:
    """`value` on stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """A table on stdout; the columns in `numbers` stand right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    console().print(table)


def note(message: str) -> None:
    """A line on stderr that is no error."""
    typer.echo(f"tiercel: {message}", err=True)


@contextmanager
def working(message: str) -> Iterator[Callable[[str], None]]:
    """Show `message` on stderr while something takes its time, if someone is looking; gives a way to change it."""
    with console(sys.stderr).status(message) as status:
        yield status.update


def figure(value: float | None, form: str) -> str:
    """A number for a table; what is not known is a dash."""
    return "-" if value is None else f"{value:{form}}"


def per_thousand(cost_usd: float | None) -> str:
    """What a thousand requests of that mean cost come to, for a table; single ones cost too little to be read."""
    return figure(None if cost_usd is None else 1000 * cost_usd, ",.4f")
