"""How often the intervals hold the truth where it is known: logs are drawn from an outcome table again and again.

The promise that is measured: where the gate opens, the 95 % interval holds the truth in at least 90 of 100 logs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from tiercel.core.estimators.intervals import Estimate
from tiercel.core.estimators.rows import LoggedRow, Probabilities
from tiercel.core.estimators.valuation import Valuation, value
from tiercel.core.replay.table import OutcomeTable, Query
from tiercel.domain.request import stage_segment

Choice = Callable[[Query], Probabilities]
"""A policy without memory: the probability of each of the table's models for a query."""
JudgeRate = Callable[[Query], float]


def always(_: Query) -> float:
    """Every answer is judged."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What became of `logs` logs: in `passed` the gate was open, and in `held[figure]` of those the interval held.

    `width` is the mean width of each figure's interval, `advised` the median advice (requests) of the others that got
    one, None without any.
    """

    logs: int
    passed: int
    held: Mapping[str, float]
    width: Mapping[str, float]
    advised: int | None

    @property
    def lowest(self) -> float:
        """The least coverage of any figure (0..1); 1 where the gate never opened."""
        return min(self.held.values(), default=1.0)


def coverage(
    table: OutcomeTable,
    logged: Choice,
    target: Choice,
    *,
    rows: int,
    logs: int,
    seed: int,
    judge_rate: JudgeRate = always,
) -> Coverage:
    """Draw `logs` logs of `rows` rated requests each, queries with replacement, and value `target` from every one."""
    chance = random.Random(f"{seed}/{rows}")  # noqa: S311 - reproducible is the purpose
    truth = truths(table, logged, target)
    held: Counter[str] = Counter()
    widths: dict[str, list[float]] = {}
    advised: list[int] = []
    passed = 0
    for _ in range(logs):
        drawn = draw_log(table, logged, target, rows=rows, judge_rate=judge_rate, chance=chance)
        valuation = value(*drawn)
        if not valuation.overlap.enough:
            if valuation.overlap.advice is not None:
                advised.append(valuation.overlap.advice.judged_requests)
            continue
        passed += 1
        for figure, estimate in figures(valuation).items():
            held[figure] += estimate.low <= truth[figure] <= estimate.high
            widths.setdefault(figure, []).append(estimate.high - estimate.low)
    return Coverage(
        logs=logs,
        passed=passed,
        held={figure: held[figure] / passed for figure in widths},
        width={figure: fsum(some) / len(some) for figure, some in widths.items()},
        advised=sorted(advised)[len(advised) // 2] if advised else None,
    )


def figures(valuation: Valuation) -> dict[str, Estimate]:
    """The estimates whose intervals are promised to hold, by name."""
    found: dict[str, Estimate] = {}
    for name, estimates in (("quality", valuation.quality), ("cost", valuation.cost_usd)):
        if estimates is not None:
            found |= {f"{name} dr": estimates.dr, f"{name} snips": estimates.snips}
            found |= {f"{name} ips": estimates.ips, f"{name} difference": estimates.difference}
    return found


def draw_log(
    table: OutcomeTable,
    logged: Choice,
    target: Choice,
    *,
    rows: int,
    chance: random.Random,
    judge_rate: JudgeRate = always,
) -> tuple[list[LoggedRow], list[Probabilities]]:
    """A log of `rows` rated requests decided by `logged`, and what `target` would have done."""
    log: list[LoggedRow] = []
    wanted: list[Probabilities] = []
    while len(log) < rows:
        query = chance.choice(table.queries)
        rate = judge_rate(query)
        if chance.random() >= rate:
            continue
        probabilities = logged(query)
        chosen = chance.choices(range(len(probabilities)), probabilities)[0]
        log.append(
            LoggedRow(
                segment=stage_segment("table", query.task),
                models=table.models,
                logged=probabilities,
                chosen=chosen,
                quality=query.recorded[chosen].quality,
                cost_usd=query.recorded[chosen].cost_usd,
                judge_rate=rate,
            )
        )
        wanted.append(target(query))
    return log, wanted


def truths(table: OutcomeTable, logged: Choice, target: Choice) -> dict[str, float]:
    """What the figures should be."""
    truth: dict[str, float] = {}
    qualities = [[recorded.quality for recorded in query.recorded] for query in table.queries]
    costs = [[recorded.cost_usd or 0.0 for recorded in query.recorded] for query in table.queries]
    for name, rewards in (("quality", qualities), ("cost", costs)):
        achieved = _mean(table.queries, target, rewards)
        truth |= {f"{name} {estimator}": achieved for estimator in ("dr", "snips", "ips")}
        truth[f"{name} difference"] = achieved - _mean(table.queries, logged, rewards)
    return truth


def _mean(queries: Sequence[Query], choice: Choice, rewards: Sequence[Sequence[float]]) -> float:
    parts = [
        p * r for query, some in zip(queries, rewards, strict=True) for p, r in zip(choice(query), some, strict=True)
    ]
    return fsum(parts) / len(queries)
