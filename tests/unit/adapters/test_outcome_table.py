from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tiercel.adapters.outcome_table import read_rows
from tiercel.core.replay.table import Recorded
from tiercel.domain.errors import InvalidInput, MissingDependency

ROW = {
    "query_id": "q1",
    "task": "a",
    "prompt": None,
    "model": "m",
    "quality": 0.5,
    "cost_usd": 0.001,
    "latency_ms": None,
    "prompt_tokens": 12,
    "completion_tokens": None,
    "split": "test",
}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        lines = [",".join(rows[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
        path.write_text("\n".join(lines))
    else:
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return path


@pytest.fixture(params=[".parquet", ".csv", ".jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"table{request.param}"


def test_every_format_says_the_same(path: Path) -> None:
    (row,) = read_rows(written(path, [ROW]))
    assert (row.query_id, row.model, row.task, row.prompt, row.split) == ("q1", "m", "a", "", "test")
    assert row.recorded == Recorded(0.5, 0.001, None, 12, None)
    assert row.where == "row 1"


def test_three_columns_are_enough(path: Path) -> None:
    (row,) = read_rows(written(path, [{"query_id": 7, "model": "m", "quality": 1}]))
    assert (row.query_id, row.recorded, row.split) == ("7", Recorded(1.0), "")


@pytest.mark.parametrize("column", ["query_id", "model", "quality"])
def test_a_missing_column_is_named(path: Path, column: str) -> None:
    rows = [{name: value for name, value in ROW.items() if name != column}]
    with pytest.raises(InvalidInput, match=f"{column}: a column that .*{path.name} lacks"):
        read_rows(written(path, rows))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("quality", 1.5, r"row 2, quality: must be a number in 0..1 \(found '?1.5'?\)"),
        ("quality", -0.1, "row 2, quality: must be a number in 0..1"),
        ("quality", None, r"row 2, quality: must be a number in 0..1 \(found None\)"),
        ("quality", float("nan"), "row 2, quality: must be a number in 0..1"),
        ("cost_usd", float("nan"), "row 2, cost_usd: must be a number of 0 or more"),
        ("cost_usd", -1.0, "row 2, cost_usd: must be a number of 0 or more"),
        ("latency_ms", float("inf"), "row 2, latency_ms: must be a number of 0 or more"),
        ("prompt_tokens", -3, "row 2, prompt_tokens: must be a whole number of 0 or more"),
        ("model", "", "row 2, model: must not be empty"),
        ("query_id", None, "row 2, query_id: must not be empty"),
    ],
)
def test_a_figure_out_of_its_range_is_named_with_its_row(path: Path, column: str, value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_rows(written(path, [ROW, {**ROW, column: value}]))


@pytest.mark.parametrize(("column", "value"), [("quality", "good"), ("prompt_tokens", 1.5)])
def test_what_is_no_such_number(tmp_path: Path, column: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"row 1, {column}: must be a"):
        read_rows(written(tmp_path / "t.jsonl", [{**ROW, column: value}]))


def test_a_table_wrong_in_every_row_is_no_wall_of_text(path: Path) -> None:
    with pytest.raises(InvalidInput, match="and 45 more") as raised:
        read_rows(written(path, [{**ROW, "quality": 2.0}] * 50))
    assert len(raised.value.problems) == 7


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", b"", r"must be a .parquet, .csv or .jsonl file"),
        ("t.parquet", b"nothing like it", "cannot be read as Parquet"),
        ("t.csv", b"query_id,model,quality\n\xff\xfe,m,1\n", "cannot be read as CSV"),
        ("t.jsonl", b'{"query_id": 1,\n', "is not JSON in line 1"),
        ("t.jsonl", b"\n[1, 2]\n", "has no object in line 2"),
        ("t.jsonl", b"\xff\n", "is not JSON in line 1"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_rows(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no file"):
        read_rows(tmp_path / "t.parquet")


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "t.parquet", [ROW])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[evaluate\]'"):
        read_rows(path)
