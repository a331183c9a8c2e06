"""The installed `tiercel` as a user calls it: exit codes, one line on stderr, JSON that parses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TIERCEL = Path(sys.executable).with_name("tiercel")
REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "tiercel.toml"
BROKEN = REPOSITORY / "tests" / "unit" / "config" / "broken.toml"


def tiercel(*args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **variables}
    return subprocess.run(
        [TIERCEL, *args], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_loop_from_the_command_line(tmp_path: Path) -> None:
    """Ratings given in one process are known to the next."""
    store = {"TIERCEL_STORE": "sqlite:///loop.db"}
    for _ in range(10):
        rated = tiercel("feedback", "code-review", "analysis", "cheap", "0.65", cwd=tmp_path, **store)
        assert (rated.returncode, rated.stderr) == (0, "")
    advised = tiercel("recommend", "code-review", "analysis", "--json", cwd=tmp_path, **store)
    assert advised.returncode == 0
    advice = json.loads(advised.stdout)
    assert (advice["recommended_tier"], advice["confidence"]) == ("capable", 0.5)
    assert advice["reason"] == "Low quality (0.65) - upgrade for better results"
    stats = tiercel("stats", "--json", cwd=tmp_path, **store)
    assert json.loads(stats.stdout)["overall"]["ratings"] == 10


@pytest.mark.parametrize("command", [["policies"], ["doctor"], ["stats"], ["recommend", "w", "s"]])
def test_every_command_with_a_table_has_json(command: list[str], tmp_path: Path) -> None:
    table = tiercel(*command, cwd=tmp_path)
    assert table.returncode == 0
    assert "\x1b" not in table.stdout + table.stderr
    json.loads(tiercel(*command, "--json", cwd=tmp_path).stdout)


def test_config_check_of_the_example_and_of_a_broken_file(tmp_path: Path) -> None:
    assert tiercel("config", "check", str(EXAMPLE), cwd=tmp_path).returncode == 0
    broken = tiercel("config", "check", str(BROKEN), cwd=tmp_path)
    assert broken.returncode == 1
    assert len(broken.stdout.splitlines()) > 40
    assert len(broken.stderr.splitlines()) == 1


def test_config_show_holds_no_secret(tmp_path: Path) -> None:
    shown = tiercel("config", "show", str(EXAMPLE), "--json", cwd=tmp_path, OPENAI_API_KEY="sk-CANARY")
    assert shown.returncode == 0
    assert "CANARY" not in shown.stdout + shown.stderr
    assert [provider["api_key_is_set"] for provider in json.loads(shown.stdout)["providers"]] == [True, False, None]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["config", "check", "absent.toml"], 1),
        (["config", "show", "absent.toml"], 1),
        (["feedback", "--decision", "dec_unknown", "0.5", "--store", "sqlite:///new.db"], 1),
        (["feedback", "w", "s", "cheap", "2"], 2),
        (["stats", "--store", "ftp://x"], 2),
        (["recommend", "w"], 2),
        (["no-such-command"], 2),
    ],
)
def test_errors_are_one_line_on_stderr_and_never_a_traceback(command: list[str], code: int, tmp_path: Path) -> None:
    failed = tiercel(*command, cwd=tmp_path)
    assert failed.returncode == code
    assert "Traceback" not in failed.stdout + failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert failed.stderr.startswith("tiercel: ")


def test_a_directory_that_cannot_be_written_to(tmp_path: Path) -> None:
    failed = tiercel("feedback", "w", "s", "cheap", "0.5", "--store", "sqlite:////proc/nothing.db", cwd=tmp_path)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
