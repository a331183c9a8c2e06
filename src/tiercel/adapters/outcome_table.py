"""Outcome tables in files: Parquet, CSV with a header, or JSON lines; and what an export of a log has of one.

Columns: query_id, model and quality (0..1) are needed; task, prompt, cost_usd, latency_ms, prompt_tokens,
completion_tokens and split may be null or absent. One row per query and model, in any order.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tiercel.adapters.parquet_log import is_export, read_events
from tiercel.core.replay.table import OutcomeRow, Recorded, shortened
from tiercel.domain.errors import InvalidInput, MissingDependency, Problem
from tiercel.domain.events import MAX_FIGURE
from tiercel.services.valuing.compared_models import compared_models
from tiercel.services.valuing.logged_history import history_of

NEEDED = ("query_id", "model", "quality")
OPTIONAL = ("task", "prompt", "cost_usd", "latency_ms", "prompt_tokens", "completion_tokens", "split")


def read_rows(path: Path) -> list[OutcomeRow]:
    """The rows of the table in `path`, every figure checked, or of the test sets in the export there.

    Raises `InvalidInput` for a file that cannot be read as its suffix says, a missing column, and any figure that is
    not a number in its range, an export without a test set; `MissingDependency` for Parquet without pyarrow.
    """
    if is_export(path):
        return _of_export(path)
    readers = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(f"{path} must be a .parquet, .csv or .jsonl file")
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    rows: list[OutcomeRow] = []
    problems: list[Problem] = []
    for number, values in enumerate(reader(path), start=1):
        rows.append(_row(values, f"row {number}", problems))
    if problems:
        raise InvalidInput([Problem("", f"{path} is not a table of outcomes"), *shortened(problems)])
    return rows


def _of_export(path: Path) -> list[OutcomeRow]:
    rows = compared_models(history_of(read_events(path)))
    if not rows:
        raise InvalidInput(
            f"{path} is an export of a log that has of each request one model's outcome, and a replay needs every "
            f"model's: `tiercel ope {path} --policy NAME` estimates what another policy would have achieved; or ask "
            "every model by name, with a session for each question, and rate the answers"
        )
    return rows


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        # an extra, for it is larger than everything else together
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("pyarrow", "evaluate", "reading Parquet") from error
    try:
        file = parquet.ParquetFile(path)
        names = set(file.schema_arrow.names)
        _need_columns(path, names)
        for batch in file.iter_batches(columns=[name for name in (*NEEDED, *OPTIONAL) if name in names]):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} cannot be read as Parquet: {error}") from error


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            _need_columns(path, set(reader.fieldnames or ()))
            for row in reader:
                yield {name: value or None for name, value in row.items() if name}
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read as CSV: {error}") from error


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"{path} is not JSON in line {number}: {error}") from error
            if not isinstance(row, dict):
                raise InvalidInput(f"{path} has no object in line {number}: {line[:40]!r}")
            _need_columns(path, row.keys(), f" in line {number}")
            yield row


def _need_columns(path: Path, names: Collection[str], where: str = "") -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        there = ", ".join(sorted(names)) or "nothing"
        problems = [Problem(name, f"a column that {path} lacks{where}", there, "missing") for name in missing]
        raise InvalidInput(problems)


def _row(values: Mapping[str, Any], where: str, problems: list[Problem]) -> OutcomeRow:
    query_id, model = values.get("query_id"), values.get("model")
    for name, value in (("query_id", query_id), ("model", model)):
        if value is None or value == "":
            problems.append(Problem(f"{where}, {name}", "must not be empty", repr(value), "missing"))
    quality = _figure(values, "quality", where, problems, highest=1.0, needed=True)
    cost_usd = _figure(values, "cost_usd", where, problems)
    latency_ms = _figure(values, "latency_ms", where, problems)
    tokens = [_figure(values, f"{kind}_tokens", where, problems, whole=True) for kind in ("prompt", "completion")]
    prompt_tokens, completion_tokens = (None if number is None else int(number) for number in tokens)
    return OutcomeRow(
        query_id=str(query_id),
        model=str(model),
        recorded=Recorded(quality or 0.0, cost_usd, latency_ms, prompt_tokens, completion_tokens),
        task=_text(values, "task"),
        prompt=_text(values, "prompt"),
        split=_text(values, "split"),
        where=where,
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)


def _figure(
    values: Mapping[str, Any],
    name: str,
    where: str,
    problems: list[Problem],
    *,
    highest: float = MAX_FIGURE,
    whole: bool = False,
    needed: bool = False,
) -> float | None:
    """A number of a row, written as text in a CSV; None where it is null."""
    value = values.get(name)
    if value is None and not needed:
        return None
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if 0 <= number <= highest and not (whole and number % 1):
        return number
    kind = "a whole number" if whole else "a number"
    limit = "in 0..1" if highest == 1 else "of 0 or more"
    problems.append(Problem(f"{where}, {name}", f"must be {kind} {limit}", repr(value)[:40], "range"))
    return None
