"""`tiercel recommend`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tiercel.apps.cli.choice import ConfigOption, StoreOption, chosen_settings, store_to_read
from tiercel.apps.cli.output import JsonOption, figure, print_json, print_table, working
from tiercel.apps.cli.program import new_program
from tiercel.config.urls import without_password
from tiercel.library.feedback_loop import FeedbackLoop

program = new_program()


@program.command()
def recommend(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW")],
    stage: Annotated[str, typer.Argument(metavar="STAGE")],
    *,
    tier: Annotated[
        str | None, typer.Option("--tier", metavar="TIER", help="The tier in use. Default: that of the newest rating.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which tier should serve a workflow's stage, and why.

    By the ratings that its answers were given so far.
    """
    settings = chosen_settings(config, store)
    url = settings.store.url
    rules = settings.feedback
    with (
        working(f"reading {without_password(url)}"),
        FeedbackLoop(
            store_to_read(url),
            tiers=settings.tiers,
            feedback_ttl=settings.store.retention_s,
            min_samples=rules.min_samples,
            quality_threshold=rules.quality_threshold,
        ) as loop,
    ):
        advice = loop.recommend_tier(workflow, stage, tier)
    if as_json:
        print_json(asdict(advice))
        return
    typer.echo(f"{workflow}/{stage}: {advice.current_tier} -> {advice.recommended_tier}")
    typer.echo(f"confidence {advice.confidence:.2f}: {advice.reason}")
    if advice.stats:
        columns = ("tier", "ratings", "quality", "lowest", "highest", "trend")
        rows = [
            (
                name,
                rated.sample_count,
                *(figure(q, ".3f") for q in (rated.avg_quality, rated.min_quality, rated.max_quality)),
                figure(rated.recent_trend, "+.2f"),
            )
            for name, rated in advice.stats.items()
        ]
        print_table(columns, rows, numbers=columns[1:])
