"""How many durable ratings a second: in batches, and one by one with an acknowledgement each.

Every rating is of a decision of its own, with a source, as users send them: the store looks up what it revises, logs
it, and learns from it. `synchronous=FULL`: an acknowledgement means fsync.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import results
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tiercel import FeedbackLoop, ModelProfile, Router
from tiercel.bootstrap import open_store
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Feedback
from tiercel.domain.request import stage_segment
from tiercel.services.ids import new_decision_id, new_feedback_id
from tiercel.testing import EPOCH

BATCH = 500
BATCHES = 60
ONE_BY_ONE = 2_000
ROUNDS = 5


def rating(number: int) -> Feedback:
    """One of many: three models, twenty stages, fifty users."""
    return Feedback(
        id=new_feedback_id(),
        recorded_at=EPOCH,
        segment=stage_segment("work", f"stage-{number % 20}"),
        tier=("cheap", "capable", "premium")[number % 3],
        model=f"model-{number % 3}",
        quality=(number % 11) / 10,
        decision_id=new_decision_id(),
        source=f"user:{number % 50}",
    )


def batched(folder: Path) -> float:
    """Ratings a second in batches of `BATCH`."""
    ratings = [rating(number) for number in range(BATCH * BATCHES)]
    store = open_store(f"sqlite:///{folder}/batched.db")
    started = time.perf_counter()
    for start in range(0, len(ratings), BATCH):
        store.append(ratings[start : start + BATCH], fold)
    took_s = time.perf_counter() - started
    store.close()
    return len(ratings) / took_s


def by_decision(folder: Path) -> float:
    """`Router.record_feedback` a second: attributed to its decision, durable, learned, reviewed."""
    models = [ModelProfile(model_id="small", tier="cheap"), ModelProfile(model_id="large", tier="capable")]
    with Router(models=models, store=f"sqlite:///{folder}/router.db") as router:
        decisions = [router.decide("work", f"stage-{number % 20}").id for number in range(ONE_BY_ONE)]
        router.learner.flush()
        started = time.perf_counter()
        for number, decision_id in enumerate(decisions):
            router.record_feedback(decision_id, 0.9, source=f"user:{number % 50}")
        return ONE_BY_ONE / (time.perf_counter() - started)


def by_stage(folder: Path) -> float:
    """`FeedbackLoop.record_feedback` a second."""
    with FeedbackLoop(f"sqlite:///{folder}/loop.db") as loop:
        started = time.perf_counter()
        for number in range(ONE_BY_ONE):
            loop.record_feedback("work", f"stage-{number % 20}", "cheap", 0.9)
        return ONE_BY_ONE / (time.perf_counter() - started)


def fsyncs(folder: Path) -> float:
    """The reference: appending 300 bytes to a file and asking for it to be on disk, a second."""
    with (folder / "reference").open("ab", buffering=0) as file:
        started = time.perf_counter()
        for _ in range(ONE_BY_ONE):
            file.write(b"x" * 300)
            os.fsync(file.fileno())
        return ONE_BY_ONE / (time.perf_counter() - started)


MEASURED: dict[str, Callable[[Path], float]] = {
    f"in batches of {BATCH}": batched,
    "one by one, of decisions": by_decision,
    "one by one, of stages": by_stage,
    "a bare write and fsync": fsyncs,
}


def main() -> None:
    """Measure in interleaved rounds, print the medians, keep the figures."""
    rounds: dict[str, list[float]] = {name: [] for name in MEASURED}
    for _ in track(range(ROUNDS), description="storing ratings"):
        for name, measure in MEASURED.items():
            with tempfile.TemporaryDirectory() as folder:
                rounds[name].append(measure(Path(folder)))
    table = Table("durable ratings", "a second (median)", "slowest", "fastest")
    for name, figures in rounds.items():
        table.add_row(name, *(f"{figure:,.0f}" for figure in (statistics.median(figures), min(figures), max(figures))))
    Console().print(table)
    results.store("store", {"per_second": rounds})


if __name__ == "__main__":
    main()
