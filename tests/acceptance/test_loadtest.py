"""`tiercel loadtest` as someone runs it: each scenario for a short time, on its own gateway or a running one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.told import tell
from tiercel.apps.loadtest.run import serving
from tiercel.apps.loadtest.settings import LoadSettings

LOADTEST = [sys.executable, "-m", "tiercel", "loadtest"]


def loadtest(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LOADTEST, *options], capture_output=True, text=True, timeout=180, check=False)


def result(*options: str) -> dict[str, Any]:
    run = loadtest("--json", "-", *options)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def spells(found: dict[str, Any]) -> dict[str, Any]:
    return {spell["name"]: spell for spell in found["spells"]}


def test_a_steady_load_with_its_report_and_picture(tmp_path: Path) -> None:
    document, picture = tmp_path / "result.json", tmp_path / "picture.svg"
    run = loadtest("--duration", "4", "--rate", "15", "--json", str(document), "--picture", str(picture))
    assert run.returncode == 0, run.stderr
    assert "steady: the same load throughout" in run.stdout
    assert "failures     0 (0.00%)" in run.stdout
    assert "\x1b" not in run.stdout + run.stderr
    found = json.loads(document.read_text())
    assert found["requests"] == sum(found["statuses"].values())
    assert found["latency_ms"]["p50"] > 10
    assert sum(found["shares"].values()) == pytest.approx(1.0, abs=1e-5)
    assert "<svg" in picture.read_text()


def test_a_spike() -> None:
    found = result("--scenario", "spike", "--duration", "8", "--rate", "8")
    before, spike = spells(found)["before"], spells(found)["spike"]
    rates = [spell["requests"] / (spell["end_s"] - spell["start_s"]) for spell in (before, spike)]
    assert rates[1] > 3 * rates[0]


def test_endurance_says_what_the_gateway_holds_in_memory() -> None:
    found = result("--scenario", "endurance", "--duration", "4", "--rate", "10")
    assert len(found["memory"]) > 5
    assert found["memory"][-1]["bytes"] > 10 << 20


def test_a_storm_raises_one_alert_for_each_incident() -> None:
    found = result("--scenario", "alert-storm", "--duration", "20", "--rate", "15", "--breaches", "20000")
    assert found["breaches"] >= 20_000
    assert found["most_alerts_of_an_incident"] == 1
    kinds = {(alert["kind"], alert["rule"]) for alert in found["alerts"]}
    assert {("model_failure", ""), ("threshold_breach", "bad answers")} <= kinds
    assert any(alert["resolved_s"] is not None for alert in found["alerts"])


def test_the_share_of_a_model_that_degrades_leaves_and_returns() -> None:
    found = result("--scenario", "degrade", "--duration", "60", "--rate", "40")
    shares = [window["shares"].get("bravo", 0.0) for window in found["windows"] if window["shares"]]
    before, during, after = shares[9:15], shares[20:25], shares[-10:]
    means = [sum(part) / len(part) for part in (before, during, after)]
    tell(f"share of the model before it degrades, while it is bad, in the end: {means}")
    assert means[0] > 0.5
    assert means[1] < 0.3
    assert means[2] > 0.5
    (drift,) = [alert for alert in found["alerts"] if (alert["rule"], alert["model"]) == ("quality", "bravo")]
    assert drift["kind"] == "drift"
    assert drift["resolved_s"] is not None


def test_a_running_gateway_is_loaded_by_callers() -> None:
    with serving(LoadSettings()) as target:
        found = result("--url", target.url, "--concurrency", "3", "--duration", "3")
    assert found["requests"] > 10
    assert found["memory"] == []


def test_what_cannot_be_is_told_in_a_line() -> None:
    for options, said in (
        (["--url", "http://127.0.0.1:1"], "GET /v1/alerts"),
        (["--scenario", "degrade", "--url", "http://127.0.0.1:1"], "leave --url away"),
        (["--key-env", "NOBODY_SET_THIS"], "is not set"),
    ):
        run = loadtest(*options)
        assert run.returncode != 0
        assert said in run.stderr
        assert "Traceback" not in run.stderr
