from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tiercel.adapters.evaluation_files import EMPTY, MAX_BYTES, MAX_FILES, NO_FOLDER, Evaluations

TABLE = {"table": {"queries": 7, "models": {"a": {}, "b": {}}}, "settings": {"repeats": 3}, "hull": []}
REPLAYED = {**TABLE, "baselines": {"oracle": {"quality": 1.0}}, "policies": {"knn": {"quality": 0.5}}}
ESTIMATED = {
    "log": "a.db",
    "route": "r",
    "rows": 5,
    "logged": {"quality": {"value": 0.5}},
    "policies": {"fixed": {"quality": 0.4}},
}


def keep(folder: Path, name: str, content: object, *, age: int = 0) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def test_nothing_says_why(tmp_path: Path) -> None:
    assert Evaluations("").newest() == ([], NO_FOLDER)
    assert Evaluations(str(tmp_path)).newest() == ([], EMPTY)
    found, note = Evaluations(str(tmp_path / "none")).newest()
    assert (found, note) == ([], "the folder of evaluations cannot be read: No such file or directory")


def test_both_kinds(tmp_path: Path) -> None:
    keep(tmp_path, "replay.json", REPLAYED)
    keep(tmp_path, "estimate.json", ESTIMATED, age=5)
    (tmp_path / "notes.txt").write_text("no result")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to("gone.json")
    (replay, estimate), note = Evaluations(str(tmp_path)).newest()
    assert note is None
    assert (replay["name"], replay["kind"], replay["table"]) == ("replay", "evaluate", "7 queries, 2 models")
    assert (replay["settings"], replay["policies"]) == ({"repeats": 3}, {"knn": {"quality": 0.5}})
    assert replay["baselines"] == {"oracle": {"quality": 1.0}}
    assert replay["measured_at"] == "1970-01-12T13:46:40+00:00"
    assert (estimate["kind"], estimate["table"]) == ("ope", "a.db")
    assert estimate["settings"] == {"route": "r", "rows": 5}
    assert estimate["baselines"] == {"as logged": {"quality": {"value": 0.5}}}
    assert replay["problem"] is estimate["problem"] is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ('{"a": NaN}', "is no JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no result"),
        ({"policies": {"a": 3}}, "is no result"),
        ({"policies": []}, "is no result"),
        (" " * (MAX_BYTES + 1), "is larger than 5,000,000 bytes"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, content: object, said: str) -> None:
    keep(tmp_path, "bad.json", content)
    keep(tmp_path, "good.json", REPLAYED, age=1)
    (bad, good), _ = Evaluations(str(tmp_path)).newest()
    assert (bad["name"], bad["kind"], bad["policies"]) == ("bad", None, {})
    assert said in bad["problem"]
    assert good["problem"] is None


def test_the_newest_few_and_what_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 3):
        keep(tmp_path, f"{number}.json", REPLAYED, age=number)
    evaluations = Evaluations(str(tmp_path))
    found, _ = evaluations.newest()
    assert [one["name"] for one in found] == [str(number) for number in range(MAX_FILES)]
    again, _ = evaluations.newest()
    assert all(one is other for one, other in zip(found, again, strict=True)), "nothing is read twice"
    keep(tmp_path, "5.json", {**REPLAYED, "policies": {"new": {}}}, age=-1)
    (first, *_), _ = evaluations.newest()
    assert (first["name"], first["policies"]) == ("5", {"new": {}})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    # nothing is forbidden to root, but nobody can read where no memory is
    (tmp_path / "torn.json").symlink_to("/proc/self/mem")
    (found,), _ = Evaluations(str(tmp_path)).newest()
    assert found["problem"] == "cannot be read: Input/output error"
