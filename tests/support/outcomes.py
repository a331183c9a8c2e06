"""Small outcome tables for tests, and policies that do as they are told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import ClassVar

from tiercel.core.policies.base import BasePolicy, Situation, mixture
from tiercel.core.replay.table import OutcomeRow, OutcomeTable, Recorded, table_of
from tiercel.domain.decision import Decision, Proposal
from tiercel.domain.events import Event, Feedback

Cell = tuple[float, float]
"""Quality and cost in USD."""


def rows_of(queries: Sequence[tuple[str, Sequence[Cell]]], *, split: str = "") -> list[OutcomeRow]:
    """Rows of queries given as (task, what models m0, m1 ... did)."""
    return [
        OutcomeRow(f"q{i}", f"m{j}", Recorded(*cell), task, f"prompt {i}", split, f"row {i}/{j}")
        for i, (task, cells) in enumerate(queries)
        for j, cell in enumerate(cells)
    ]


def outcomes(queries: Sequence[tuple[str, Sequence[Cell]]]) -> OutcomeTable:
    """The same as a table."""
    return table_of(rows_of(queries))


def noisy(
    count: int, qualities: Sequence[float], costs: Sequence[float], *, tasks: int = 1, seed: int = 1
) -> OutcomeTable:
    """Queries whose answers are right (1) with these probabilities and wrong (0) else, at these costs."""
    chance = random.Random(seed)
    return outcomes(
        [
            (
                f"t{i % tasks}",
                [(float(chance.random() < quality), cost) for quality, cost in zip(qualities, costs, strict=True)],
            )
            for i in range(count)
        ]
    )


class Scripted(BasePolicy):
    """Believes in the model that `choose` names for the number of the request; explores with `share` among the rest.

    It keeps what it is asked, told and taught.
    """

    name: ClassVar[str] = "scripted"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "for tests"
    reads_prompt: ClassVar[bool] = True

    def __init__(self, choose: Callable[[int], str], *, share: float = 0.0) -> None:
        self.choose = choose
        self.share = share
        self.situations: list[Situation] = []
        self.decisions: list[Decision] = []
        self.batches: list[Sequence[Event]] = []

    @property
    def ratings(self) -> list[Feedback]:
        """Every rating it was taught."""
        return [event for batch in self.batches for event in batch if isinstance(event, Feedback)]

    def propose(self, situation: Situation) -> Proposal:
        greedy = self.choose(len(self.situations))
        self.situations.append(situation)
        others = {model.model_id: 1.0 for model in situation.eligible if model.model_id != greedy}
        return mixture(situation.eligible, greedy, others, self.share, reason="as told")

    def decided(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def learned(self, events: Sequence[Event]) -> None:
        self.batches.append(events)


def always(model: str, *, share: float = 0.0) -> Scripted:
    """Believes in one model."""
    return Scripted(lambda _: model, share=share)
