"""Off-policy evaluation where the truth is known: the table of benchmarks/routing/ope_coverage.py, a case a line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.routing.measures import Measured
from benchmarks.routing.ope_coverage import COLUMNS, Case, cases, measure
from benchmarks.routing.plan import Plan, Results, Section

from tiercel.core.estimators.coverage import Coverage
from tiercel.domain.errors import InvalidInput

LOGS = 50
ROWS = (1000,)
ENOUGH = 25
"""A coverage is told where so many of the logs passed the gate."""


@dataclass(frozen=True, slots=True)
class CoverageSpec:
    """One case, all of its logs."""

    row: tuple[str, ...]
    case: Case
    repeats: int = 1

    def measured(self, repeat: int, folder: Path | None) -> Measured:  # noqa: ARG002 - a case has its own seed
        """How often the interval held the truth where the gate passed."""
        found: Coverage = measure(_file(folder), self.case).coverage
        return asdict(found)


def _file(folder: Path | None) -> Path:
    if folder is None:
        raise InvalidInput("the tables are in files: name their folder with --data")
    return folder / "paretobandit.parquet"


def lines(plan: Plan) -> list[CoverageSpec]:
    """Every case of the coverage's own command."""
    every = cases(_file(plan.folder), logs=LOGS, sizes=ROWS)
    every = every[:2] if plan.quick else every
    return [CoverageSpec((case.logged, case.target, str(case.rows)), case) for case in every]


def figures(plan: Plan, results: Results) -> dict[str, Any]:  # noqa: ARG001 - one signature for all sections
    """Every case."""
    rows = []
    for spec, measured in results.items():
        logged, target, size = spec.row
        rows.append({"log": logged, "target": target, "rated": int(size), **measured[0]})
    return {"rows": rows, "columns": list(COLUMNS), "logs": LOGS, "enough": ENOUGH}


SECTION = Section("ope", needs_folder=True, lines=lines, figures=figures)
