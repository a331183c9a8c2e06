"""How every command is made: plain help that starts fast, and no locals in a traceback, for they may hold secrets."""

from __future__ import annotations

import typer
from typer.core import TyperGroup


def new_program(*, cls: type[TyperGroup] | None = None, add_completion: bool = False) -> typer.Typer:
    """A typer program; with a single command in it, it is that command."""
    return typer.Typer(
        cls=cls,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=add_completion,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
