from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from tiercel.apps.cli.main import COMMANDS, program
from tiercel.domain.errors import ConfigurationError, InvalidInput, Problem, StoreUnavailable, TiercelError

HEAVY = ("granian", "starlette", "pyreqwest", "pydantic", "genai_prices", "rich", "tiercel.bootstrap")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = get_command(import_module(f"tiercel.apps.cli.{name}").program)
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(program, ["--help"])
    assert result.exit_code == 0
    assert not [name for name in COMMANDS if f"  {name} " not in result.stdout]


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    check = (
        "import sys, contextlib\n"
        "from tiercel.apps.cli.main import program\n"
        "with contextlib.suppress(SystemExit): program(['--help'])\n"
        f"print('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded:"


def test_version() -> None:
    result = CliRunner().invoke(program, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("tiercel ")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["stts"], "tiercel: No such command 'stts'. Did you mean 'stats'? (see tiercel --help)"),
        (["--loud"], "tiercel: No such option: --loud (see tiercel --help)"),
        (["recommend"], "tiercel: Missing argument 'WORKFLOW'. (see tiercel recommend --help)"),
        (["stats", "--loud"], "tiercel: No such option: --loud (see tiercel stats --help)"),
        (["config", "chek"], "tiercel: No such command 'chek'. Did you mean 'check'? (see tiercel config --help)"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(args: list[str], line: str) -> None:
    result = CliRunner().invoke(program, args)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line + "\n")


@pytest.mark.parametrize("args", [[], ["config"]])
def test_a_group_without_a_command_shows_its_help(args: list[str]) -> None:
    result = CliRunner().invoke(program, args)
    assert result.exit_code == 2
    assert "Usage: tiercel" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (StoreUnavailable("the store is\naway"), 1, ["tiercel: the store is away"]),
        (InvalidInput([Problem("quality", "is too good", "2")]), 2, ["tiercel: quality: is too good (found 2)"]),
        (ConfigurationError([Problem("a", "b")], source="f.toml"), 1, ["tiercel: f.toml: a: b"]),
        (
            ConfigurationError([Problem("a", "b"), Problem("c", "d", "e")], source="f.toml"),
            1,
            ["tiercel: f.toml has 2 problems:", "  a: b", "  c: d (found e)"],
        ),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: TiercelError, code: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = typer.Typer()

    @failing.command()
    def policies() -> None:
        raise error

    monkeypatch.setattr("tiercel.apps.cli.policies.program", failing)
    result = CliRunner().invoke(program, ["policies"])
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (code, "", lines)


def test_a_fault_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = typer.Typer()

    @failing.command()
    def policies() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tiercel.apps.cli.policies.program", failing)
    assert isinstance(CliRunner().invoke(program, ["policies"]).exception, ZeroDivisionError)


def test_interrupting_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = typer.Typer()

    @waiting.command()
    def policies() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tiercel.apps.cli.policies.program", waiting)
    result: Any = CliRunner().invoke(program, ["policies"])
    assert (result.exit_code, result.output) == (130, "")
