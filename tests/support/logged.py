"""Logs for off-policy evaluation: rows by hand, and a table of outcomes to draw logs from."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tiercel.core.estimators.coverage import Choice
from tiercel.core.estimators.rows import LoggedRow, Probabilities
from tiercel.core.replay.table import OutcomeTable, Query, Recorded
from tiercel.domain.request import stage_segment

MODELS = ("small", "middle", "large")


def row(
    logged: Probabilities,
    chosen: int,
    quality: float,
    *,
    task: str = "task",
    cost_usd: float | None = None,
    judge_rate: float = 1.0,
) -> LoggedRow:
    """A rated decision between the first of `MODELS`."""
    return LoggedRow(
        segment=stage_segment("table", task),
        models=MODELS[: len(logged)],
        logged=logged,
        chosen=chosen,
        quality=quality,
        cost_usd=cost_usd,
        judge_rate=judge_rate,
    )


def outcomes(success: Sequence[Sequence[float]], *, queries: int = 2_000, seed: int = 0) -> OutcomeTable:
    """A table of right and wrong answers: `success[task][model]` is how often; a dearer model costs ten times more.

    Queries differ in difficulty: a tenth of them is failed by every model that fails at all one time in three.
    """
    chance = random.Random(seed)
    made = []
    for number in range(queries):
        task = number % len(success)
        recorded = tuple(
            Recorded(quality=float(chance.random() < rate), cost_usd=10.0**model * 1e-5 * chance.expovariate(1))
            for model, rate in enumerate(success[task])
        )
        made.append(Query(f"q{number}", f"task-{task}", "", recorded))
    return OutcomeTable(models=MODELS[: len(success[0])], queries=tuple(made))


def by_task(*models: int, probes: float = 0.0, count: int = 3) -> Choice:
    """The given model of each task, with a share of the probability spread evenly over all of them."""

    def choice(query: Query) -> Probabilities:
        chosen = models[int(query.task.rpartition("-")[2]) % len(models)]
        return tuple((1 - probes) * (i == chosen) + probes / count for i in range(count))

    return choice
