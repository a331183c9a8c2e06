"""`tiercel demo`: the main job on real input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tiercel.apps.cli.output import JsonOption, console
from tiercel.apps.cli.program import new_program
from tiercel.apps.demo.folder import DEFAULT_BUDGET_USD, DemoSettings
from tiercel.apps.demo.run import run
from tiercel.config.settings import DEFAULT_POLICY

program = new_program()


@program.command()
def demo(
    *,
    prompts: Annotated[int, typer.Option(help="How many of the 1,824 prompts to send.", min=1, max=1824)] = 1824,
    seed: Annotated[int, typer.Option(help="Equal seeds send and rate the same.", min=0)] = 0,
    feedback_share: Annotated[float, typer.Option(help="The share of answers that is rated.", min=0, max=1)] = 0.5,
    delay: Annotated[int, typer.Option(help="Ratings come so many waves of 16 requests late.", min=0)] = 4,
    speed: Annotated[float, typer.Option(help="Models answer so many times faster than measured.", min=1)] = 100,
    policy: Annotated[str, typer.Option(metavar="NAME", help="Who decides: see tiercel policies.")] = DEFAULT_POLICY,
    budget: Annotated[
        float, typer.Option(metavar="USD", help="What a request may cost on average; for policies that learn.")
    ] = DEFAULT_BUDGET_USD,
    good_enough: Annotated[
        float, typer.Option(help="The quality below which a stage moves up; for tier-rules.", min=0, max=1)
    ] = 0.8,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the gateway up for a look, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="The gateway's port. Default: any free one.", min=0, max=65_535)] = 0,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Keep configuration, store and logs in DIR.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Route real prompts through a gateway that learns from late ratings, and compare with fixed choices."""
    settings = DemoSettings(
        prompts=prompts,
        seed=seed,
        feedback_share=feedback_share,
        delay=delay,
        speed=speed,
        policy=policy,
        budget_usd=budget,
        good_enough=good_enough,
        port=port,
        folder=folder,
        keep=keep,
    )
    run(settings, console(), as_json=as_json)
