"""`tiercel export` as a user calls it, and what reads its folder."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow import dataset

from tiercel import ModelProfile, Price, Router
from tiercel.domain.request import RequestContext

TIERCEL = Path(sys.executable).with_name("tiercel")
MODELS = [
    ModelProfile(model_id="small", tier="cheap", price=Price(1.0, 0.0)),
    ModelProfile(model_id="large", tier="premium", price=Price(30.0, 0.0)),
]


def tiercel(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = [TIERCEL, *args]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def as_json(*args: str | Path, cwd: Path) -> dict[str, Any]:
    called = tiercel(*args, "--json", cwd=cwd)
    assert called.stderr == "" or called.returncode == 1
    said: dict[str, Any] = json.loads(called.stdout)
    return said


def work(store: Path, requests: int, seed: int) -> str:
    """Decisions with outcomes and ratings, some of which are revised; gives the id of the last one."""
    chance = random.Random(seed)
    with Router(models=MODELS, policy="random", store=f"sqlite:///{store}", seed=seed) as router:
        for number in range(requests):
            decision = router.decide("work", f"stage-{number % 3}", prompt=f"{number}, please: " + "words " * number)
            router.record_outcome(decision.id, success=True, latency_ms=100.0, prompt_tokens=100, completion_tokens=0)
            for _ in range(1 + number % 2):
                router.record_feedback(decision.id, chance.random(), source=f"user-{number % 7}")
        router.record_feedback(decision.id, 0.5, source="someone else")
    return decision.id


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset.dataset(folder / table, partitioning="hive").to_table().to_pylist()
    return found


def test_the_log_is_exported_bit_by_bit_and_valued_as_the_log_itself(tmp_path: Path) -> None:
    store, folder = tmp_path / "log.db", tmp_path / "history"
    export = ("export", "--parquet", folder, "--store", f"sqlite:///{store}")
    work(store, 300, seed=1)
    first = as_json(*export, cwd=tmp_path)
    assert first["rows"] == {"decisions": 300, "outcomes": 300, "feedback": 451}
    assert (first["events"], first["after"], first["position"], first["missing_from"]) == (1051, [0], [1051], None)
    last = work(store, 150, seed=2)
    second = as_json(*export, cwd=tmp_path)
    assert (second["events"], second["after"], second["position"]) == (526, [1051], [1577])
    nothing = tiercel(*export, cwd=tmp_path)
    assert (nothing.returncode, nothing.stderr) == (0, "")
    assert nothing.stdout == f"{folder}: nothing new since position 1,577\n"

    decisions = rows(folder, "decisions")
    assert len({row["decision_id"] for row in decisions}) == len(decisions) == 450
    (row,) = (row for row in decisions if row["decision_id"] == last)
    assert (row["policy"], row["stage"], [c["model"] for c in row["candidates"]]) == (
        "random",
        "stage-2",
        ["small", "large"],
    )
    sources = {row["source"] for row in rows(folder, "feedback") if row["decision_id"] == last}
    assert sources == {"user-2", "someone else"}

    policies = ("--policy", "fixed:large", "--policy", "contextual", "--policy", "tier-rules", "--train-share", "0.4")
    of_log, of_folder = (as_json("ope", log, *policies, cwd=tmp_path) for log in (store, folder))
    assert of_log.pop("log") == f"sqlite:///{store}"
    assert of_folder.pop("log") == str(folder)
    assert of_folder == of_log
    assert of_folder["policies"]["fixed:large"]["quality"] is not None


def test_a_gap_is_said_and_gone_beyond_only_when_asked_to(tmp_path: Path) -> None:
    store, folder = tmp_path / "log.db", tmp_path / "history"
    export = ("export", "--parquet", folder, "--store", f"sqlite:///{store}")
    work(store, 10, seed=1)
    assert tiercel(*export, cwd=tmp_path).returncode == 0
    with Router(models=MODELS, store=f"sqlite:///{store}") as router:
        router.store.clear_feedback("work", None, lambda _: router.learner.knowledge.export())
    lost = tiercel(*export, cwd=tmp_path)
    assert (lost.returncode, lost.stdout, len(lost.stderr.splitlines())) == (1, "", 1)
    assert "--again" in lost.stderr
    again = tiercel(*export, "--again", cwd=tmp_path)
    assert (again.returncode, len(again.stderr.splitlines())) == (0, 1)
    assert "is missing in" in again.stderr
    work(store, 3, seed=2)
    assert as_json(*export, cwd=tmp_path)["rows"]["decisions"] == 3
    assert len(rows(folder, "decisions")) == 13


def test_a_test_set_that_went_through_is_evaluated(tmp_path: Path) -> None:
    work(tmp_path / "log.db", 9, seed=1)
    with Router(models=MODELS, store=f"sqlite:///{tmp_path / 'log.db'}") as router:
        for number in range(40):
            for model, quality in (("small", number % 4 / 4), ("large", 1.0)):
                question = RequestContext(workflow="test", stage=f"set-{number % 2}", session_id=f"question-{number}")
                decision = router.core.requested(model, question)
                router.record_outcome(
                    decision.id, success=True, latency_ms=100.0, prompt_tokens=100, completion_tokens=0
                )
                router.record_feedback(decision.id, quality)
    assert tiercel("export", "--parquet", "history", "--store", "sqlite:///log.db", cwd=tmp_path).returncode == 0
    evaluated = tiercel("evaluate", "history", "--repeats", "2", "--jobs", "1", "--json", "-", cwd=tmp_path)
    assert (evaluated.returncode, evaluated.stderr.strip()) == (0, "")
    found = json.loads(evaluated.stdout)
    assert (found["table"]["queries"], found["baselines"]["cheapest"]["quality"]) == (40, 0.375)
    assert found["baselines"]["oracle"]["cost_usd"] == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["export"], 2, "--parquet"),
        (["export", "--parquet", "new", "--store", "memory://"], 2, "must outlive a process"),
        (["export", "--parquet", "new", "--store", "sqlite:///none.db"], 2, "there is no store"),
        (["export", "--parquet", "log.db", "--store", "sqlite:///log.db"], 1, "log.db cannot be written: File exists"),
        (["ope", ".", "--policy", "random"], 2, ". is no export of a log"),
        (["evaluate", "history"], 2, "`tiercel ope history --policy NAME`"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, args: list[str], code: int, said: str) -> None:
    work(tmp_path / "log.db", 1, seed=1)
    assert tiercel("export", "--parquet", "history", "--store", "sqlite:///log.db", cwd=tmp_path).returncode == 0
    before = set(tmp_path.iterdir())
    failed = tiercel(*args, cwd=tmp_path)
    assert (failed.returncode, failed.stdout, len(failed.stderr.splitlines())) == (code, "", 1)
    assert said in failed.stderr
    assert set(tmp_path.iterdir()) == before
