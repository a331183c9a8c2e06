"""What a test reported: one figure of one row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.reliability.rows import NAMES


@dataclass(frozen=True, slots=True)
class Record:
    """A figure. `full`: in the size that the row names; `bound`: what is known with 95 % where none of them was bad."""

    row: str
    what: str
    figure: str
    target: str
    met: bool
    test: str
    seeds: str
    full: bool
    bound: str = ""
    commit: str = ""

    def __post_init__(self) -> None:
        if self.row not in NAMES:
            raise ValueError(f"no row {self.row!r}: it is one of {', '.join(NAMES)}")


def rate(bad: int, of: int) -> tuple[str, str]:
    """The figure and, where none was bad, the 95 % bound (the rule of three)."""
    return f"{bad:,} of {of:,}", f"< {3 / of:.1g}" if of and not bad else ""


def keep(record: Record, folder: Path) -> None:
    """Add a record to those in `folder`, from whichever process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def kept(folder: Path) -> list[Record]:
    """What was kept in `folder`."""
    path = folder / "records.jsonl"
    if not path.exists():
        return []
    return [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def replaced(earlier: Iterable[Record], later: Iterable[Record]) -> list[Record]:
    """The earlier records without those of tests that reported again, then the later ones."""
    later = list(later)
    again = {record.test for record in later}
    return [record for record in earlier if record.test not in again] + later
