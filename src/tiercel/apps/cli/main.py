"""`tiercel`: the list of commands, and how errors look.

A command's module is imported when the command is called, not before: `tiercel --help` and every command start without
the HTTP server, the price list and whatever else only another command needs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tiercel.apps.cli.program import new_program
from tiercel.domain.errors import ConfigurationError, InvalidInput, TiercelError

FAILURE, USAGE = 1, 2

COMMANDS: Mapping[str, str] = {
    "demo": "Route real prompts through a gateway that learns from late ratings, and compare with fixed choices.",
    "serve": "Serve the OpenAI-compatible gateway until Ctrl-C.",
    "config": "Check a configuration file, or show what it means.",
    "policies": "The policies a route can name.",
    "doctor": "Check the machine, the configuration and the store.",
    "stats": "What the models' calls did: success, latency, cost and quality.",
    "evaluate": "Replay policies over a table of every model's outcomes, and compare with the best fixed mixes.",
    "simulate": "What policies would do with a catalogue that nobody measured yet, under stated assumptions.",
    "ope": "What another policy would have achieved, estimated from logged and rated decisions.",
    "export": "Write what was logged since the last time as Parquet, by day.",
    "approvals": "Changes that wait for a yes, roll out, or did: list and answer them.",
    "changes": "The audit log: what was changed, when, by whom and why, newest first.",
    "alerts": "What is wrong and what was: list, acknowledge, and rehearse rules over the log.",
    "recommend": "Which tier should serve a workflow's stage, and why.",
    "feedback": "Rate the answers of a stage's tier, or one answer.",
    "loadtest": "Send traffic to a gateway, and report latency, failures, who answered, and what alerts were raised.",
}
"""Every command with its line of help. `tiercel NAME` runs the `program` in the module tiercel.apps.cli.NAME."""


class Commands(TyperGroup):
    """Imports a command when it is called, and gives every error as one line on stderr and an exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - typer's type is private
        """The command that `args` begin with, imported."""
        name, _, rest = super().resolve_command(ctx, args)
        command = get_command(import_module(f"tiercel.apps.cli.{name}").program) if name else None
        return name, command, rest

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - as inherited
        """Run, and exit with 0, 1 (failure), 2 (usage) or 130 (interrupted)."""
        extra.update(prog_name="tiercel", standalone_mode=False)
        try:
            code = super().main(*args, **extra)
        except TiercelError as error:
            code = _report(error)
        except typer.TyperException as error:
            typer.echo(_usage(error), err=True)
            code = error.exit_code
        sys.exit(code if isinstance(code, int) else 0)


def _report(error: TiercelError) -> int:
    """One line; a file with several problems has a line for each, for they are to be mended together."""
    message = " ".join(str(error).split())
    if isinstance(error, ConfigurationError) and len(error.problems) > 1:
        message = f"{error.source or 'the configuration'} has {len(error.problems)} problems:"
        message = "\n  ".join([message, *map(str, error.problems)])
    typer.echo(f"tiercel: {message}", err=True)
    usage = isinstance(error, InvalidInput) and not isinstance(error, ConfigurationError)
    return USAGE if usage else FAILURE


def _usage(error: typer.TyperException) -> str:
    """One line; for a group called without a command its help, which is then the error's message."""
    message = error.format_message()
    if "\n" in message.strip():
        return message
    context = getattr(error, "ctx", None)
    return f"tiercel: {message}" + (f" (see {context.command_path} --help)" if context else "")


def _stub() -> None:
    """Stands for a command in the list; `Commands` runs the real one."""


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        # reading the package's metadata costs a quarter of the start-up time, and hardly anyone asks
        typer.echo(f"tiercel {import_module('importlib.metadata').version('tiercel')}")
        raise typer.Exit


program = new_program(cls=Commands, add_completion=True)


@program.callback()
def tiercel(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and exit.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Keeps every LLM call on the cheapest model that is good enough, and proves it."""


for _name, _help in COMMANDS.items():
    program.command(_name, help=_help)(_stub)


def run() -> NoReturn:
    """Where the installed `tiercel` starts."""
    program()
    sys.exit(0)
