"""The lines of all sections, every repeat of each, over two processes; how far it is, is shown."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.routing.measures import Line, Measured
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PROCESSES = 2


def run(name: str, lines: Sequence[Line], folder: Path | None) -> dict[Line, list[Measured]]:
    """What was measured, by line and repeat. With one process the figures would be the same."""
    results: dict[Line, list[Measured]] = {line: [{}] * line.repeats for line in lines}
    jobs = [(line, repeat) for line in lines for repeat in range(line.repeats)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # spawned: a process with threads, as one that shows its progress, must not be forked
    context = multiprocessing.get_context("spawn")
    with (
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
        ProcessPoolExecutor(PROCESSES, context) as pool,
    ):
        task = progress.add_task(name, total=len(jobs))
        running = {pool.submit(line.measured, repeat, folder): (line, repeat) for line, repeat in jobs}
        for future in as_completed(running):
            line, repeat = running[future]
            results[line][repeat] = future.result()
            progress.advance(task)
    return results
