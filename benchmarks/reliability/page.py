"""docs/reliability.md: one table per section, from what tests reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.reliability.records import Record
from benchmarks.reliability.rows import SECTIONS, Row

HEAD = """# Reliability

What must hold under faults, and what was measured. Every line is a figure that a test reported; where the target is
not met, it says MISSED. Where none of n was bad, the bound is what is known with 95 % (3/n). `make reliability` runs
the tests in the sizes named here and writes this page from benchmarks/results/reliability.json; `make test` runs the
same tests in a short size.
"""


def page(records: Iterable[Record]) -> str:
    """The whole page."""
    records = list(records)
    parts = [HEAD]
    for title, section in SECTIONS.items():
        lines = ["| fault | figure | target | met | test |", "|---|---|---|---|---|"]
        for name, row in section.items():
            lines += _lines(row, [record for record in records if record.row == name])
        parts.append(f"## {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _lines(row: Row, records: Sequence[Record]) -> list[str]:
    if not records:
        return [_line(row.fault, "not measured yet", row.target, "", "")]
    first = [row.fault, *("" for _ in records[1:])]
    return [_line(fault, *_cells(record)) for fault, record in zip(first, records, strict=True)]


def _cells(record: Record) -> tuple[str, str, str, str]:
    figure = f"{record.what}: **{record.figure}**" + (f" ({record.bound})" if record.bound else "")
    size = "" if record.full else ", short size"
    seeds = f", seed {record.seeds}" if record.seeds else ""
    where = record.test.removeprefix("tests/")
    return figure, record.target, "met" if record.met else "MISSED", f"{where} at {record.commit}{seeds}{size}"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
