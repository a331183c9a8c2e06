"""Folders that other tools read, and folders that are no export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyarrow import dataset, parquet

from support.happenings import acknowledgement, alert, decision, feedback, notice, outcome, signal, standing
from tiercel.adapters.parquet_log import is_export, read_events, writing
from tiercel.adapters.parquet_log.tables import SCHEMAS
from tiercel.domain.errors import InvalidInput, MissingDependency, TiercelError
from tiercel.domain.events import Event
from tiercel.ports import Mark

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
EVERY_KIND: list[Event] = [
    decision(1),
    outcome(1),
    feedback("f1", decision_id="dec_1", metadata={"a": [1, None, "é"]}),
    standing(1),
    acknowledgement(1),
    notice(1, claim="slot"),
    signal(1),
    alert(1),
    alert(1, resolved_s=9.5),
]


def exported(path: Path, events: list[Event]) -> Path:
    with writing(path) as archive:
        archive.begin((0,))
        archive.add(events, (len(events),))
        archive.flush()
    return path


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_every_kind_has_its_table_and_comes_back(tmp_path: Path) -> None:
    assert list(read_events(exported(tmp_path, EVERY_KIND))) == EVERY_KIND
    day = "day=2026-01-01/part-1-9.parquet"
    assert files(tmp_path) == ["_tiercel.json", *sorted(f"{table}/{day}" for table in SCHEMAS)]


def test_days_are_utc_days(tmp_path: Path) -> None:
    last = replace(decision(1), decided_at=MIDNIGHT - timedelta(microseconds=1))
    first = replace(decision(2), decided_at=MIDNIGHT.astimezone(timezone(timedelta(hours=-5))))
    exported(tmp_path, [last, first])
    table = dataset.dataset(tmp_path / "decisions", partitioning="hive").to_table()
    rows = dict(zip(table["day"].to_pylist(), table["decision_id"].to_pylist(), strict=True))
    assert rows == {"2026-01-30": "dec_1", "2026-01-31": "dec_2"}
    assert list(read_events(tmp_path)) == [last, first]


def test_other_tools_read_a_table_as_one(tmp_path: Path) -> None:
    exported(tmp_path, EVERY_KIND)
    for table, schema in SCHEMAS.items():
        found = dataset.dataset(tmp_path / table, partitioning="hive")
        assert found.schema.names == [*schema.names, "day"]
    (row,) = dataset.dataset(tmp_path / "decisions", partitioning="hive").to_table().to_pylist()
    assert (row["workflow"], row["stage"], row["greedy"]) == ("review", "analysis", "small")
    assert [candidate["model"] for candidate in row["candidates"]] == ["small", "large"]
    (rating,) = dataset.dataset(tmp_path / "feedback", partitioning="hive").to_table().to_pylist()
    assert (rating["source"], json.loads(rating["metadata"])) == (None, {"a": [1, None, "é"]})


def test_what_is_being_written_is_no_parquet_yet(tmp_path: Path) -> None:
    exported(tmp_path, [decision(1)])
    (tmp_path / "decisions" / "day=2026-01-01" / "part-2-9.parquet.unfinished").write_bytes(b"PAR1")
    (tmp_path / "decisions" / "day=2026-01-01" / "part-2-3.parquet").write_bytes(b"of a crash after renaming")
    assert len(list(read_events(tmp_path))) == 1
    with writing(tmp_path) as archive:
        assert archive.mark is not None
    assert files(tmp_path) == ["_tiercel.json", "decisions/day=2026-01-01/part-1-1.parquet"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    said = r"another process exports to .*new at the moment"
    with writing(tmp_path / "new"), pytest.raises(TiercelError, match=said), writing(tmp_path / "new"):
        pass
    with writing(tmp_path / "new") as archive:
        assert archive.mark is None


def remove_manifest(path: Path) -> None:
    (path / "_tiercel.json").unlink()


def break_manifest(path: Path) -> None:
    (path / "_tiercel.json").write_text('{"format": 1, "pos')


def age_manifest(path: Path) -> None:
    (path / "_tiercel.json").write_text('{"format": 3}')


def add_a_file(path: Path) -> None:
    (path / "decisions" / "day=2026-01-01" / "mine.parquet").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "writes", "reads"),
    [
        (remove_manifest, "holds parts of an export and no manifest", "is no export of a log"),
        (break_manifest, "is no manifest of an export", "is no manifest of an export"),
        (age_manifest, "has format 3, and this tiercel knows 2: upgrade", "has format 3"),
        (add_a_file, "mine.parquet is no part of an export", "mine.parquet is no part of an export"),
    ],
)
def test_nothing_is_guessed_and_nothing_removed(
    tmp_path: Path, damage: Callable[[Path], None], writes: str, reads: str
) -> None:
    damage(exported(tmp_path, EVERY_KIND))
    before = files(tmp_path)
    with pytest.raises(InvalidInput, match=writes), writing(tmp_path):
        pass
    with pytest.raises(InvalidInput, match=reads):
        list(read_events(tmp_path))
    assert files(tmp_path) == before


def test_an_export_of_the_first_format_goes_on(tmp_path: Path) -> None:
    exported(tmp_path, EVERY_KIND)
    (tmp_path / "_tiercel.json").write_text('{"format": 1, "position": 9, "event_id": "alert_1/resolved"}')
    with writing(tmp_path) as archive:
        assert archive.mark == Mark((9,), "alert_1/resolved")
        archive.add([decision(2)], (10,))
        archive.flush()
    assert list(read_events(tmp_path)) == [*EVERY_KIND, decision(2)]
    assert "decisions/day=2026-01-01/part-10-10.parquet" in files(tmp_path)


def test_a_part_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    exported(tmp_path, [decision(1)])
    part = tmp_path / "decisions" / "day=2026-01-01" / "part-1-1.parquet"
    part.write_bytes(b"PAR1 and no more")
    with pytest.raises(InvalidInput, match=r"part-1-1.parquet cannot be read as a part of an export"):
        list(read_events(tmp_path))
    table = parquet.read_table(exported(tmp_path / "b", [decision(1)]) / "decisions" / part.parent.name / part.name)
    parquet.write_table(table.drop_columns("reason"), part)
    with pytest.raises(InvalidInput, match=r"part-1-1.parquet cannot be read .*reason"):
        list(read_events(tmp_path))


def test_days_may_be_removed(tmp_path: Path) -> None:
    exported(tmp_path, [decision(1), decision(2, seconds=86_400)])
    (tmp_path / "decisions" / "day=2026-01-01" / "part-1-2.parquet").unlink()
    assert [event.id for event in read_events(tmp_path)] == ["dec_2"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TiercelError, match="file/x cannot be written: Not a directory"), writing(tmp_path / "file/x"):
        pass
    assert not is_export(tmp_path)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(tmp_path / "full", [decision(1)])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[evaluate\]'"), writing(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    with pytest.raises(MissingDependency):
        list(read_events(tmp_path / "full"))
