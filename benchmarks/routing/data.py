"""The tables the benchmark runs on: files in a folder that is named, the demo's, and made-up ones.

No table is in the repository but the demo's, which has the three models of ParetoBandit's test split.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tiercel.adapters.outcome_table import read_rows
from tiercel.apps.demo import table as demo
from tiercel.core.replay.table import OutcomeRow, OutcomeTable, Recorded, table_of
from tiercel.domain.errors import InvalidInput

DEMO = "demo"
MADE_UP = "made-up"
_SEED = 20261122
_SPREAD = 2.0


@dataclass(frozen=True, slots=True)
class Source:
    """Which table: `name` is a file of the folder without its suffix, the demo's or a made-up one.

    Of a made-up table `models` are written "name:mean quality:cost in USD" and `graded` says whether its qualities
    are anything between 0 and 1 or only these two. `task` keeps tasks that begin so; `split` "" keeps all.
    """

    name: str
    split: str = ""
    models: tuple[str, ...] = ()
    task: str = ""
    queries: int = 0
    graded: bool = True


@cache
def table(source: Source, folder: Path | None) -> OutcomeTable:
    """The table. Raises `InvalidInput` where its file is not there or not named."""
    if source.name == MADE_UP:
        return table_of(_made_up(source))
    if source.name == DEMO:
        return table_of(_demo())
    rows = [
        row for row in _rows(source.name, folder) if row.task.startswith(source.task) and row.split != "contaminated"
    ]
    return table_of(rows, split=source.split, models=source.models)


@cache
def _rows(name: str, folder: Path | None) -> list[OutcomeRow]:
    if folder is None:
        raise InvalidInput(f"the table {name} is a file: name its folder with --data or TIERCEL_DATA")
    return read_rows(folder / f"{name}.parquet")


def _demo() -> Iterator[OutcomeRow]:
    for prompt in demo.prompts():
        for model_id, recorded in prompt.recorded.items():
            yield OutcomeRow(
                prompt.id, model_id, Recorded(recorded.quality, recorded.cost_usd), prompt.stage, prompt.text
            )


def _made_up(source: Source) -> Iterator[OutcomeRow]:
    """Three kinds of queries, of which one is harder and one easier for every model than the mean says."""
    draw = random.Random(_SEED)
    models = [(name, float(mean), float(cost)) for name, mean, cost in (model.split(":") for model in source.models)]
    for number in range(source.queries):
        kind = number % 3
        for name, mean, cost in models:
            usual = min(max(mean + 0.02 * (kind - 1), 0.01), 0.99)
            if source.graded:
                quality = draw.betavariate(_SPREAD * usual, _SPREAD * (1 - usual))
            else:
                quality = float(draw.random() < usual)
            spent = cost * draw.uniform(0.5, 1.5)
            prompt = f"made-up question {number} of kind {kind}"
            yield OutcomeRow(f"q{number}", name, Recorded(quality, spent), f"kind-{kind}", prompt)
