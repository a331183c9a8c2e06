"""`tiercel alerts` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.watching import Heard, Watcher, calls
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.domain.alert_rule import AlertRule
from tiercel.testing import ManualClock

TIERCEL = Path(sys.executable).with_name("tiercel")
CONFIG = """
[store]
url = "sqlite:///log.db"

[[rules]]
name = "slow"
metric = "latency_p95_ms"
model = "*"
warning = 1_000
resolve_after_s = 30

[[rules]]
name = "dear"
metric = "spend_usd"
warning = 1_000_000
"""


def tiercel(folder: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LOGNAME": "ada"}
    command = [TIERCEL, "alerts", *args]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def as_json(folder: Path, *args: str | Path) -> Any:  # noqa: ANN401 - JSON is anything
    called = tiercel(folder, *args, "--json")
    assert (called.returncode, called.stderr) == (0, "")
    return json.loads(called.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration, and a log with a slow hour in it."""
    (tmp_path / "tiercel.toml").write_text(CONFIG)
    clock, rule = ManualClock(), AlertRule(name="slow", metric="latency_p95_ms", model="*", warning=1_000)
    with (
        closing(SqliteStore(tmp_path / "log.db")) as store,
        closing(Watcher(store, clock, Heard(), rules=(rule,))) as one,
    ):
        for minute in range(120):
            calls(store, clock, 5, latency_ms=2_500 if 30 <= minute < 90 else 100)
            clock.advance(60)
            if minute == 40:
                one.look()
        one.learner.flush(10)
    return tmp_path


def test_alerts_are_listed_and_taken_care_of(folder: Path) -> None:
    (slow,) = [one for one in as_json(folder, "list") if one["rule"] == "slow"]
    assert (slow["model_id"], slow["acknowledged_by"]) == ("small", None)
    assert "P95 latency of small 2" in tiercel(folder, "list", "--status", "active").stdout
    taken = tiercel(folder, "acknowledge", slow["alert_id"], "--note", "on it")
    assert taken.stdout.startswith(f"{slow['alert_id']}: ada takes care of it since ")
    again = as_json(folder, "acknowledge", slow["alert_id"], "--by", "bob")
    assert (again["acknowledged_by"], again["note"]) == ("ada", "on it")
    unknown = tiercel(folder, "acknowledge", "alert_nobody")
    assert (unknown.returncode, unknown.stderr) == (1, "tiercel: no alert 'alert_nobody' in the history\n")
    assert as_json(folder, "list", "--status", "resolved") == []


def test_rules_are_rehearsed_over_the_log_and_over_its_export(folder: Path) -> None:
    said = as_json(folder, "dry-run", "--rule", "slow")
    (incident,) = said["incidents"]
    assert (incident["rule"], incident["model_id"], incident["severity"]) == ("slow", "small", "WARNING")
    assert (incident["fired_at"][:15], incident["resolved_at"][:13]) == ("2026-01-01T00:3", "2026-01-01T01")
    assert incident["times_fired"] > 5
    subprocess.run([TIERCEL, "export", "--parquet", "history"], cwd=folder, check=True, capture_output=True)
    exported = as_json(folder, "dry-run", "--rule", "slow", "--log", "history")
    assert exported["incidents"] == said["incidents"]
    table = tiercel(folder, "dry-run", "--rule", "slow", "--rule", "dear")
    assert table.returncode == 0
    assert table.stdout.splitlines()[-2].startswith("1 incident in ")
    assert table.stdout.splitlines()[-1] == "never fired: dear"
    everything = as_json(folder, "dry-run", "--log", "log.db")
    assert {one["alert_type"] for one in everything["incidents"]} >= {"threshold_breach", "high_latency"}


def test_a_channel_without_its_variable_keeps_the_gateway_from_starting(tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text('[[models]]\nid = "m"\n[[notify]]\nname = "chat"\nurl_env = "CHAT"\n')
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = [str(TIERCEL), "serve", "--config", "tiercel.toml"]
    called = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert called.returncode == 1
    assert "notify[0].url_env: the environment variable CHAT is not set" in called.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("dry-run", "--rule", "fast"), "--rule: must be one of the rules (slow, dear) (found 'fast')"),
        (("dry-run", "--log", "sqlite:///nowhere.db"), "--log: there is no store"),
        (("acknowledge", "x", "--by", ""), "no alert 'x' in the history"),
    ],
)
def test_what_cannot_be_is_said(folder: Path, args: tuple[str, ...], said: str) -> None:
    called = tiercel(folder, *args)
    assert called.returncode in (1, 2)
    assert said in called.stderr
