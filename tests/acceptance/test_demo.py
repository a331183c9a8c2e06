"""`tiercel demo` as someone runs it: reproducible by its seed, and gone when it is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

DEMO = [sys.executable, "-m", "tiercel", "demo"]
ENDED_S = 120.0


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DEMO, *options], capture_output=True, text=True, timeout=120, check=False)


def result(*options: str) -> dict[str, Any]:
    run = demo("--json", *options)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def test_a_seed_makes_the_routing_reproducible() -> None:
    # enough for stages to move: the moves, and all that follows from them, must be the same
    options = ("--prompts", "320", "--policy", "tier-rules")
    first, second = (result(*options, "--seed", "5") for _ in range(2))
    assert first["tier_changes"]
    assert {**first, "run": None} == {**second, "run": None}
    assert result(*options, "--seed", "6")["routing_sha256"] != first["routing_sha256"]


def test_the_default_policy_beats_the_best_fixed_mix_within_its_budget() -> None:
    found = result()
    assert found["requests"] == 1824
    # the bucket's first ten requests' worth and what was under way at the end
    assert found["budget"]["spend_over_budget"] < 1.02
    assert found["gain_over_hull"] > 0.01
    assert found["last_half"]["gain_over_hull"] > 0.01
    assert found["saved_against_always_best"]["cost_share"] > 0.98


def test_the_gateways_books_agree_with_the_table() -> None:
    found = result("--prompts", "160", "--policy", "random")
    assert found["run"]["booked_cost_usd"] == pytest.approx(found["tiercel"]["total_cost_usd"], rel=1e-6)
    assert min(found["shares"].values()) > 0.2


def test_what_it_prints_without_a_terminal() -> None:
    run = demo("--prompts", "160")
    assert run.returncode == 0, run.stderr
    assert "160 real prompts" in run.stdout
    assert "Saved against always-best" in run.stdout
    assert "Budget: $0.25 per 1,000 requests; spent" in run.stdout
    assert "the hindsight hull" in run.stdout
    assert "\x1b" not in run.stdout
    assert run.stderr == ""


def test_wrong_options_are_one_line_each() -> None:
    for options in (["--policy", "nope"], ["--prompts", "0"], ["--budget", "0"], ["--dir", str(Path(__file__).parent)]):
        run = demo(*options)
        assert run.returncode == 2
        assert run.stderr.startswith("tiercel: ")
        assert run.stderr.count("\n") == 1


@contextmanager
def kept(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path, list[int]]]:
    """A demo that stays up, with the folder it works in and the ports of its children."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [*DEMO, "--keep", "--prompts", "16"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            said: list[str] = []
            while not said or "Ctrl-C ends it" not in said[-1]:
                said.append(process.stdout.readline())
                assert said[-1], "".join(said)
            (work,) = folder.iterdir()
            config = tomllib.loads((work / "tiercel.toml").read_text())
            upstream = int(config["providers"][0]["base_url"].rpartition(":")[2].removesuffix("/v1"))
            ports = [config["server"]["port"], upstream]
            assert all(map(listening, ports))
            yield process, work, ports
        finally:
            process.kill()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(ports: list[int]) -> bool:
    """Whether nothing listens any more, within a time that is ample."""
    until_s = time.monotonic() + ENDED_S
    while time.monotonic() < until_s:
        if not any(map(listening, ports)):
            return True
    return False


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_children_and_removes_the_folder(tmp_path: Path, number: int, status: int) -> None:
    with kept(tmp_path) as (process, work, ports):
        process.send_signal(number)
        assert process.wait(ENDED_S) == status
        assert not any(map(listening, ports))
        assert not work.exists()


def test_no_child_outlives_a_demo_that_was_killed(tmp_path: Path) -> None:
    with kept(tmp_path) as (process, _, ports):
        process.kill()
        process.wait(ENDED_S)
        assert end(ports)
