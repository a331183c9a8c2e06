"""What the commands that replay policies share: options, and the replays with their progress on stderr."""

from __future__ import annotations

import sys
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tiercel.apps.cli.output import console
from tiercel.apps.evaluation.pool import Work, run_jobs, usable_cores

Job = TypeVar("Job")
Figures = TypeVar("Figures")

DelayOption = Annotated[int, typer.Option(help="Ratings come so many requests late.", min=0)]
SeedOption = Annotated[int, typer.Option(help="Equal seeds give equal results.")]
JobsOption = Annotated[int, typer.Option(help="Processes. Default: one per processor core.", min=0)]


def replayed(work: Work[Job, Figures], todo: list[Job], processes: int, *, called: str) -> dict[Job, Figures]:
    """What came of every job, in as many processes (0: one per core); the bar names the jobs as `called`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
        bar = progress.add_task(called, total=len(todo))
        done = {}
        for job, figures in run_jobs(work, todo, processes or usable_cores()):
            done[job] = figures
            progress.advance(bar)
    return done
