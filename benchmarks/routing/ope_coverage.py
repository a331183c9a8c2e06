"""Off-policy evaluation held to its promise: where its gate opens, 95 % intervals hold the truth in 90 of 100 logs.

    python -m benchmarks.routing.ope_coverage TABLE.parquet [--logs 100]

Logs of several kinds and sizes are drawn from a table where every model's outcome is known, and target policies valued
from each. What the policies know is learned on one split and the logs are drawn from another where the table has both.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tiercel.adapters.outcome_table import read_rows
from tiercel.core.estimators.coverage import Choice, Coverage, always, coverage
from tiercel.core.estimators.reward_model import SHRINK
from tiercel.core.estimators.rows import Probabilities
from tiercel.core.replay.table import OutcomeTable, Query, table_of

SIZES = (500, 2000, 6000)
SEED = 20261122
JUDGED_SELDOM, JUDGED_OFTEN = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of log, one target, one size."""

    logged: str
    target: str
    rows: int
    logs: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A case and what became of it."""

    case: Case
    coverage: Coverage


@dataclass(frozen=True)
class Policies:
    """Policies without memory by name, from what one table teaches about another's models."""

    learned_from: OutcomeTable

    def known(self) -> dict[str, Choice]:
        """Every policy."""
        models = self.learned_from.models
        best, thrifty = self._per_task(0.0), self._per_task(0.5)
        dearest = partial(_fixed, len(models) - 1, len(models))
        fixed = {
            f"always {model.rpartition('/')[2]}": partial(_fixed, i, len(models)) for i, model in enumerate(models)
        }
        return {
            "random": partial(_floored, dearest, 1.0),
            "thrifty + 3 % probes": partial(_floored, thrifty, 0.03),
            "dearest + 3 % probes": partial(_floored, dearest, 0.03),
            "thrifty + 20 % floor": partial(_floored, thrifty, 0.2),
            **fixed,
            "best per task": best,
            "thrifty per task": thrifty,
            "half and half": partial(_floored, thrifty, 0.5),
        }

    def _per_task(self, thrift: float) -> Choice:
        """The best model of each task, a call of mean cost being worth `thrift` x 0.1 of quality."""
        table = self.learned_from
        overall = table.figures()
        scale = sum(m.cost_usd or 0.0 for m in overall) / len(overall) or 1.0
        chosen: dict[str, int] = {}
        for task in table.tasks:
            queries = [query for query in table.queries if query.task == task]
            count = len(queries)
            worth = []
            for i, model in enumerate(overall):
                quality = sum(query.recorded[i].quality for query in queries) + SHRINK * model.quality
                worth.append(quality / (count + SHRINK) - thrift * 0.1 * (model.cost_usd or 0.0) / scale)
            chosen[task] = worth.index(max(worth))
        return partial(_by_task, chosen, len(overall))


def _one_hot(index: int, count: int) -> Probabilities:
    return tuple(float(i == index) for i in range(count))


def _fixed(index: int, count: int, _: Query) -> Probabilities:
    return _one_hot(index, count)


def _by_task(chosen: dict[str, int], count: int, query: Query) -> Probabilities:
    return _one_hot(chosen.get(query.task, count - 1), count)


def _floored(policy: Choice, share: float, query: Query) -> Probabilities:
    """`share` of the probability spread evenly."""
    probabilities = policy(query)
    return tuple((1 - share) * p + share / len(probabilities) for p in probabilities)


def _judged_unevenly(query: Query) -> float:
    """Some tasks are judged five times as often as others."""
    return JUDGED_SELDOM if len(query.task) % 2 else JUDGED_OFTEN


LOGGED = ("random", "thrifty + 3 % probes", "dearest + 3 % probes", "thrifty + 20 % floor")
UNEVEN = ", judged unevenly"


@cache
def _tables(file: Path) -> tuple[OutcomeTable, OutcomeTable]:
    """What the logs are drawn from, and what the policies learned from."""
    rows = read_rows(file)
    splits = {row.split for row in rows}
    if {"val", "test"} <= splits:
        return table_of(rows, split="test"), table_of(rows, split="val")
    whole = table_of(rows)
    return whole, whole


def cases(file: Path, *, logs: int, sizes: Sequence[int] = SIZES) -> list[Case]:
    """Every log with every target of interest in every size; the floored log also judged unevenly."""
    targets = [name for name in Policies(_tables(file)[1]).known() if name not in LOGGED]
    kinds = [*LOGGED, LOGGED[-1] + UNEVEN]
    return [Case(kind, target, size, logs) for kind in kinds for target in targets for size in sizes]


def measure(file: Path, case: Case) -> Measured:
    """One case. Equal arguments give equal results."""
    table, learned_from = _tables(file)
    known = Policies(learned_from).known()
    judge_rate = _judged_unevenly if case.logged.endswith(UNEVEN) else always
    logged, target = known[case.logged.removesuffix(UNEVEN)], known[case.target]
    return Measured(
        case, coverage(table, logged, target, rows=case.rows, logs=case.logs, seed=SEED, judge_rate=judge_rate)
    )


def ope_coverage(
    file: Path, *, logs: int = 100, sizes: Sequence[int] = SIZES, workers: int | None = None
) -> list[Measured]:
    """Every case, over several processes."""
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(measure, file), cases(file, logs=logs, sizes=sizes)))


COLUMNS = ("quality dr", "quality snips", "quality difference", "cost dr", "cost snips")


def lines(measured: Sequence[Measured], *, enough: int) -> list[str]:
    """The table in Markdown. A coverage is shown where at least `enough` logs passed the gate."""
    head = ("log", "target", "rated", "passed", *(f"{name}" for name in COLUMNS), "half width", "advice where refused")
    found = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for one in measured:
        case, result = one.case, one.coverage
        counted = result.passed >= enough
        cells = [case.logged, case.target, f"{case.rows:,}", f"{result.passed / result.logs:.0%}"]
        cells += [f"{result.held[name]:.3f}" if counted and name in result.held else "" for name in COLUMNS]
        cells.append(f"{result.width['quality dr'] / 2:.4f}" if result.passed else "")
        cells.append(f"{result.advised:,}" if result.advised else "")
        found.append("| " + " | ".join(cells) + " |")
    return found


def main() -> None:
    """Print the table, and the least coverage."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("table", type=Path)
    arguments.add_argument("--logs", type=int, default=100)
    arguments.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    given = arguments.parse_args()
    measured = ope_coverage(given.table, logs=given.logs, sizes=given.sizes)
    enough = max(30, given.logs // 4)
    print("\n".join(lines(measured, enough=enough)))
    for name in (*COLUMNS, "quality ips", "cost ips"):
        held = [
            one.coverage.held[name] for one in measured if one.coverage.passed >= enough and name in one.coverage.held
        ]
        if held:
            print(f"{name}: least {min(held):.3f}, mean {sum(held) / len(held):.3f}, of {len(held)} cases")


if __name__ == "__main__":
    main()
