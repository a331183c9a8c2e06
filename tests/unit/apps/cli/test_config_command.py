from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tiercel.apps.cli.main import program

BROKEN = Path(__file__).parents[2] / "config" / "broken.toml"
EXAMPLE = Path(__file__).parents[4] / "examples" / "tiercel.toml"
SOUND = """
[[providers]]
id = "p"
base_url = "https://p.example/v1"
api_key_env = "P_KEY"
[[models]]
id = "m"
provider = "p"
price_usd_per_mtok = { input = 1, output = 2 }
[[routes]]
policy = "tier-rules"
target_quality = 0.9
"""


def run(*args: str) -> Any:  # noqa: ANN401 - typer's result type is of no interest
    return CliRunner().invoke(program, ["config", *args])


def test_a_broken_file_lists_all_its_problems() -> None:
    result = run("check", str(BROKEN))
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert len(lines) > 40
    assert all(line.startswith("problem: ") for line in lines)
    assert result.stderr == f"tiercel: {BROKEN} has {len(lines)} problems\n"
    assert "CANARY" not in result.output


def test_a_broken_file_as_json() -> None:
    result = run("check", str(BROKEN), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["ok"] is False
    assert {"path": "models[0].tier", "found": "'chep'", "kind": "unknown"}.items() <= next(
        problem for problem in found["problems"] if problem["path"] == "models[0].tier"
    ).items()


def test_a_sound_file_is_called_sound_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(SOUND)
    result = run("check", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "advice: providers[0].api_key_env: the environment variable P_KEY is not set here",
        "advice: routes[0].target_quality: is not used by the policy 'tier-rules' (found 0.9)",
        f"{path} is sound; models: 1, providers: 1, routes: 1",
    ]
    shown = json.loads(run("check", str(path), "--json").stdout)
    assert shown["ok"] is True
    assert len(shown["advice"]) == 2


def test_the_example_is_sound() -> None:
    assert run("check", str(EXAMPLE)).exit_code == 0


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_file_that_is_not_there(command: str) -> None:
    result = run(command, "no.toml")
    assert result.exit_code == 1
    assert "No such file" in result.output
    assert len(result.stderr.splitlines()) == 1


def test_show_never_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    path.write_text(SOUND)
    monkeypatch.setenv("P_KEY", "sk-CANARY")
    for arguments in (["show", str(path)], ["show", str(path), "--json"], ["check", str(path)]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "CANARY" not in result.output
    assert "is set" in run("show", str(path)).stdout


def test_show_says_where_a_price_is_from(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(SOUND + '[[models]]\nid = "gpt-4o-mini"\n[[models]]\nid = "unheard-of"\n')
    models = json.loads(run("show", str(path), "--json").stdout)["models"]
    assert [model["price_source"] for model in models] == ["file", "genai-prices: openai/gpt-4o-mini", None]
    table = run("show", str(path)).stdout
    assert "genai-prices: openai/gpt-4o-mini" in table
    assert "unknown" in table


def test_show_gives_the_defaults_of_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("")
    result = run("show", str(path))
    assert result.exit_code == 0
    assert "sqlite:///tiercel.db" in result.stdout
    assert "models: none" in result.stdout
