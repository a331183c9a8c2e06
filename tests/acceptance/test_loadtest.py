"""`tiercel loadtest` as someone runs it: each scenario for a short time, on its own gateway or a running one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from support.told import tell
from tiercel.apps.loadtest.run import serving
from tiercel.apps.loadtest.settings import LoadSettings

LOADTEST = [sys.executable, "-m", "tiercel", "loadtest"]


LONG = {
    "alert-storm": ("--duration", "10", "--rate", "15", "--breaches", "5000"),
    "degrade": ("--duration", "24", "--rate", "80"),
}


class Underway:
    """A run in the background."""

    def __init__(self, scenario: str, options: Sequence[str], folder: Path) -> None:
        self._document, self._log = folder / f"{scenario}.json", folder / f"{scenario}.log"
        command = [*LOADTEST, "--scenario", scenario, *options, "--json", str(self._document)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def result(self) -> dict[str, Any]:
        assert self._process.wait(180) == 0, self._log.read_text()
        document: dict[str, Any] = json.loads(self._document.read_text())
        return document

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)  # so that it ends its gateway; nothing where it has ended
        self._process.wait(30)


def loadtest(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LOADTEST, *options], capture_output=True, text=True, timeout=180, check=False)


def result(*options: str) -> dict[str, Any]:
    run = loadtest("--json", "-", *options)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


@pytest.fixture(scope="module", autouse=True)
def under_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Underway]]:
    """The runs that take long, which go on while the others are made: what they wait for is time."""
    folder = tmp_path_factory.mktemp("loadtests")
    with ExitStack() as ending:
        yield {name: ending.enter_context(Underway(name, options, folder)) for name, options in LONG.items()}


def spells(found: dict[str, Any]) -> dict[str, Any]:
    return {spell["name"]: spell for spell in found["spells"]}


def test_a_steady_load_with_its_report_and_picture(tmp_path: Path) -> None:
    document, picture = tmp_path / "result.json", tmp_path / "picture.svg"
    run = loadtest("--duration", "3", "--rate", "15", "--json", str(document), "--picture", str(picture))
    assert run.returncode == 0, run.stderr
    assert "steady: the same load throughout" in run.stdout
    assert "failures     0 (0.00%)" in run.stdout
    assert "\x1b" not in run.stdout + run.stderr
    found = json.loads(document.read_text())
    assert found["requests"] == sum(found["statuses"].values())
    assert found["latency_ms"]["p50"] > 10
    assert sum(found["shares"].values()) == pytest.approx(1.0, abs=1e-5)
    assert len(found["memory"]) > 5
    assert found["memory"][-1]["bytes"] > 10 << 20
    assert "<svg" in picture.read_text()


def test_a_spike() -> None:
    found = result("--scenario", "spike", "--duration", "4", "--rate", "15")
    before, spike = spells(found)["before"], spells(found)["spike"]
    rates = [spell["requests"] / (spell["end_s"] - spell["start_s"]) for spell in (before, spike)]
    assert rates[1] > 3 * rates[0]


def test_a_running_gateway_is_loaded_by_callers() -> None:
    with serving(LoadSettings()) as target:
        found = result("--scenario", "endurance", "--url", target.url, "--concurrency", "3", "--duration", "2")
    assert found["requests"] > 10
    assert found["settings"]["scenario"] == "endurance"
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


def test_a_storm_raises_one_alert_for_each_incident(under_way: dict[str, Underway]) -> None:
    found = under_way["alert-storm"].result()
    assert found["breaches"] >= 5_000
    assert found["most_alerts_of_an_incident"] == 1
    kinds = {(alert["kind"], alert["rule"]) for alert in found["alerts"]}
    assert {("model_failure", ""), ("threshold_breach", "bad answers")} <= kinds
    assert any(alert["resolved_s"] is not None for alert in found["alerts"])


def test_the_share_of_a_model_that_degrades_leaves_and_returns(under_way: dict[str, Underway]) -> None:
    found = under_way["degrade"].result()
    shares = [window["shares"].get("bravo", 0.0) for window in found["windows"] if window["shares"]]
    before, during, after = shares[9:15], shares[20:25], shares[-5:]
    means = [sum(part) / len(part) for part in (before, during, after)]
    tell(f"share of the model before it degrades, while it is bad, in the end: {means}")
    assert means[0] > 0.5
    assert means[1] < 0.3
    assert means[2] > 0.5
    (drift,) = [alert for alert in found["alerts"] if (alert["rule"], alert["model"]) == ("quality", "bravo")]
    assert drift["kind"] == "drift"
    assert drift["resolved_s"] is not None
