from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tiercel.apps.cli.main import program

FAST = ("--requests", 400, "--stages", 2, "--repeats", 1, "--jobs", 1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*args: object) -> Result:
    return CliRunner().invoke(program, ["simulate", *map(str, args)])


def result_of(*args: object) -> dict[str, Any]:
    result = run(*FAST, "--json", *args)
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_every_policy_and_feedback_rate_has_its_figures() -> None:
    args = ("--policy", "contextual", "--policy", "random", "--feedback-rate", 1, "--feedback-rate", 0.2)
    found = result_of(*args, "--budget", 0.002)
    assert found["measured"] is False
    assert "assumed, not measured" in found["note"]
    assert set(found["assumptions"]["models"]) == {"small", "medium", "large"}
    assert [(r["policy"], r["feedback_rate"]) for r in found["results"]] == [
        ("contextual", 1.0),
        ("contextual", 0.2),
        ("random", 1.0),
        ("random", 0.2),
    ]
    for result in found["results"]:
        assert 0 < result["quality"] < 1
        assert sum(result["share"].values()) == pytest.approx(1)
    contextual = found["results"][0]
    assert contextual["spend_over_budget"] < 1.1
    assert found == result_of(*args, "--budget", 0.002)


def test_learning_beats_chance_over_some_worlds() -> None:
    args = ("--policy", "contextual", "--policy", "random", "--feedback-rate", 1, "--repeats", 10)
    contextual, without = result_of(*args, "--budget", 0.002)["results"]
    assert contextual["gain_over_hull"] > without["gain_over_hull"]


def test_people_are_told_that_nothing_was_measured() -> None:
    shown = run(*FAST, "--policy", "random", "--feedback-rate", 1)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("Qualities are assumed, not measured")
    assert "400 requests of 2 stages" in shown.stdout
    assert all(word in shown.stdout for word in ("small", "medium", "large", "settled after"))


def test_the_models_of_a_configuration(tmp_path: Path) -> None:
    models = "".join(
        f'[[models]]\nid = "{name}"\ntier = "{tier}"\nprice_usd_per_mtok = {{ input = {usd}, output = {usd} }}\n'
        for name, tier, usd in (("mine", "cheap", 0.1), ("yours", "premium", 5.0))
    )
    (tmp_path / "tiercel.toml").write_text(models)
    found = result_of("--policy", "random", "--feedback-rate", 1)
    assert set(found["results"][0]["share"]) == {"mine", "yours"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--policy", "nope"), "--policy"),
        (("--budget", 0), "--budget"),
        (("--budget", 1, "--target-quality", 0.5), "exclude each other"),
    ],
)
def test_wrong_options_are_one_line(args: tuple[object, ...], said: str) -> None:
    result = run(*FAST, *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
