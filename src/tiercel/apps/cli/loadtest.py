"""`tiercel loadtest`: traffic on a real gateway, and what became of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tiercel.apps.cli.output import console, note
from tiercel.apps.cli.program import new_program
from tiercel.apps.loadtest.picture import check_picture, draw
from tiercel.apps.loadtest.result import LoadResult
from tiercel.apps.loadtest.run import run
from tiercel.apps.loadtest.scenarios import SCENARIOS
from tiercel.apps.loadtest.settings import LoadSettings
from tiercel.apps.loadtest.summary import summarise, watching
from tiercel.domain.errors import TiercelError

program = new_program()

_STDOUT = Path("-")
_NAMES = ", ".join(SCENARIOS)


@program.command()
def loadtest(
    *,
    scenario: Annotated[str, typer.Option(metavar="NAME", help=f"What happens: {_NAMES}.")] = "steady",
    duration: Annotated[float, typer.Option(metavar="S", help="Seconds. Default: the scenario's.", min=0)] = 0,
    rate: Annotated[float, typer.Option(help="Requests a second. Default: the scenario's.", min=0)] = 0,
    concurrency: Annotated[int, typer.Option(metavar="N", help="N callers, one by one, instead of a rate.", min=0)] = 0,
    breaches: Annotated[int, typer.Option(metavar="N", help="Bad ratings of an alert storm. Default: 100,000.")] = -1,
    seed: Annotated[int, typer.Option(help="Equal seeds send the same at the same times.", min=0)] = 0,
    url: Annotated[str, typer.Option(metavar="URL", help="Load a running gateway instead of one of its own.")] = "",
    key_env: Annotated[str, typer.Option(metavar="NAME", help="The environment variable with its API key.")] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON; - for stdout.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE.svg|png", help="Draw it over time.")] = None,
) -> None:
    """Send traffic to a gateway, and report latency, failures, who answered, and what alerts were raised."""
    settings = LoadSettings(
        scenario=scenario,
        duration_s=duration,
        rate_per_s=rate,
        concurrency=concurrency,
        breaches=breaches,
        seed=seed,
        url=url,
        key_env=key_env,
        picture=picture,
    )
    if picture is not None:
        check_picture()
    with watching(console(sys.stderr), settings) as tell:
        result = run(settings, tell)
    _write(result, json_file, picture)
    if json_file != _STDOUT:
        summarise(console(), result)


def _write(result: LoadResult, json_file: Path | None, picture: Path | None) -> None:
    document = json.dumps(result.json(), indent=2)
    try:
        if json_file == _STDOUT:
            typer.echo(document)
        elif json_file is not None:
            json_file.write_text(document + "\n", encoding="utf-8")
            note(f"the result is in {json_file}")
        if picture is not None:
            draw(result, picture)
            note(f"the picture is in {picture}")
    except OSError as error:
        raise TiercelError(f"cannot write {error.filename}: {error.strerror}") from error
