"""docs/loadtest.md: a command for every scenario, the figures of each, and pictures that the command made."""

import re
import shlex
from pathlib import Path

from typer.main import get_command

from tiercel.apps.cli.loadtest import program
from tiercel.apps.loadtest.scenarios import SCENARIOS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "loadtest.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^tiercel loadtest (.*)$", PAGE, re.MULTILINE)


def test_every_scenario_has_its_command_and_every_command_its_options() -> None:
    command = get_command(program)
    seen = set()
    for line in COMMANDS:
        options = command.make_context("loadtest", shlex.split(line)).params
        seen.add(options["scenario"])
    assert seen == set(SCENARIOS)


def test_the_table_is_that_of_the_scenarios() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*? \| [\d.]+) \|", PAGE, re.MULTILINE))
    for name, scenario in SCENARIOS.items():
        lasts = f"{scenario.duration_s:g} s" if scenario.duration_s < 600 else f"{scenario.duration_s / 60:g} min"
        assert rows[name] == f"{lasts} | {scenario.rate_per_s:g}"


def test_the_pictures_are_there() -> None:
    pictures = re.findall(r"\]\((loadtest/[\w-]+\.svg)\)", PAGE)
    assert len(pictures) == 2
    assert all("<svg" in (DOCS / picture).read_text(encoding="utf-8") for picture in pictures)
