"""What recommend_tier costs as history grows, beside attune-ai 16.4.0, the published system it descends from.

Ours is measured in memory and on SQLite; attune-ai in the in-process store it falls back to, in an environment of its
own (its dependencies are not ours). Both record the same ratings of one stage and are asked the same question.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import results
from rich.console import Console
from rich.table import Table

from tiercel import FeedbackLoop
from tiercel.bootstrap import open_store
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Feedback
from tiercel.domain.request import stage_segment
from tiercel.testing import EPOCH, ManualClock

PEER = "attune-ai==16.4.0"
OURS = (1_000, 10_000, 100_000, 1_000_000)
THEIRS = (1_000, 10_000, 50_000)
ASKED = 200
BATCH = 5_000
TIERS = ("cheap", "capable", "premium")

PEER_PROGRAM = """
import json, random, statistics, sys, time
from attune.telemetry.feedback_loop import FeedbackLoop
draw, loop, figures, recorded = random.Random(0), FeedbackLoop(), {}, 0
for size in json.loads(sys.argv[1]):
    while recorded < size:
        loop.record_feedback("work", "stage", ("cheap", "capable", "premium")[recorded % 3], draw.uniform(0.6, 1.0))
        recorded += 1
    took = []
    for _ in range(15):
        started = time.perf_counter()
        loop.recommend_tier("work", "stage", "capable")
        took.append((time.perf_counter() - started) * 1000)
    figures[size] = statistics.median(took)
print(json.dumps(figures))
"""


def ratings(start: int, stop: int) -> Iterator[Feedback]:
    """Ratings number `start` up to `stop`, the same every time."""
    for number in range(start, stop):
        yield Feedback(
            id=f"feedback_{number}",
            recorded_at=EPOCH,
            segment=stage_segment("work", "stage"),
            tier=TIERS[number % 3],
            quality=random.Random(number).uniform(0.6, 1.0),
        )


def median_ms(ask: Callable[[], object]) -> float:
    """Median milliseconds of one question."""
    took = []
    for _ in range(ASKED):
        started = time.perf_counter()
        ask()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def ours(url: str) -> dict[int, float]:
    """Milliseconds by size of the history."""
    figures: dict[int, float] = {}
    store = open_store(url)
    loop = FeedbackLoop(store, clock=ManualClock())
    recorded = 0
    for size in OURS:
        while recorded < size:
            upto = min(recorded + BATCH, size)
            store.append(list(ratings(recorded, upto)), fold)
            recorded = upto
        figures[size] = median_ms(lambda: loop.recommend_tier("work", "stage", "capable"))
    loop.close()
    store.close()
    return figures


def theirs(folder: Path) -> dict[int, float]:
    """The peer's milliseconds, measured in an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", folder / "peer"], check=True)
    python = folder / "peer" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True, stderr=subprocess.DEVNULL)
    run = subprocess.run(
        [python, "-c", PEER_PROGRAM, json.dumps(THEIRS)], check=True, capture_output=True, text=True, cwd=folder
    )
    return {int(size): float(ms) for size, ms in json.loads(run.stdout.splitlines()[-1]).items()}


def main() -> None:
    """Measure all three in one run, print a table, keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {
            "tiercel, memory": ours("memory://"),
            "tiercel, SQLite": ours(f"sqlite:///{folder}/recommend.db"),
            PEER: theirs(Path(folder)),
        }
    sizes = sorted({size for figures in measured.values() for size in figures})
    table = Table("ms per recommend_tier", *(f"{size:,}" for size in sizes))
    for name, figures in measured.items():
        table.add_row(name, *(f"{figures[size]:.3f}" if size in figures else "" for size in sizes))
    Console().print(table)
    growth = {name: figures[OURS[-1]] / figures[OURS[0]] for name, figures in measured.items() if OURS[-1] in figures}
    for name, ratio in growth.items():
        Console().print(f"{name}: {ratio:.2f}x the time with 1,000 times the history")
    results.store("recommend", {"ms_by_history": measured, "growth_1e3_to_1e6": growth})


if __name__ == "__main__":
    main()
