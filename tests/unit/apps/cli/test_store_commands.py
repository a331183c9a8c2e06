from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.servers import free_port
from tiercel.apps.cli.main import program
from tiercel.bootstrap import POLICIES
from tiercel.config.settings import DEFAULT_POLICY
from tiercel.library.feedback_loop import FeedbackLoop
from tiercel.library.performance import PerformanceTracker

STORE = "sqlite:///kept.db"


def run(*args: str) -> Any:  # noqa: ANN401 - typer's result type is of no interest
    return CliRunner().invoke(program, args)


@pytest.fixture
def calls() -> str:
    """A store with a few calls; gives the decision id of one of them."""
    with PerformanceTracker(STORE) as tracker:
        for i in range(10):
            decision_id = tracker.record_decision(
                agent_id="a", model_id="m", match_score=90.0, latency_ms=100.0 + i, success=i > 0, cost_usd=0.001
            )
        tracker.record_decision(agent_id="a", model_id="n", match_score=None, latency_ms=7.0, success=False)
    return decision_id


def test_policies() -> None:
    listed = json.loads(run("policies", "--json").stdout)
    assert {policy["name"] for policy in listed} == set(POLICIES)
    assert [policy["name"] for policy in listed if policy["default"]] == [DEFAULT_POLICY]
    assert all(policy.keys() == {"name", "version", "summary", "default"} for policy in listed)
    table = run("policies")
    assert table.exit_code == 0
    assert all(policy["summary"] in table.stdout for policy in listed)


def test_stats_are_measured(calls: str) -> None:
    shown = json.loads(run("stats", "--store", STORE, "--json").stdout)
    m, n = shown["models"]
    assert (m["model_id"], m["total_requests"], m["success_rate"], m["ratings"]) == ("m", 10, 0.9, 0)
    assert m["latency"]["p50"] == pytest.approx(105, rel=0.01)
    assert m["latency"]["count"] == 9
    assert m["cost_usd"] == pytest.approx(0.01)
    assert (n["model_id"], n["success_rate"], n["avg_latency_ms"], n["cost_usd"]) == ("n", 0.0, None, None)
    assert shown["overall"]["total_requests"] == 11
    table = run("stats", "--store", STORE, "--time-range", "last_hour")
    assert table.exit_code == 0
    assert "90.0%" in table.stdout


def test_feedback_on_a_decision_is_credited_to_its_model(calls: str) -> None:
    result = run("feedback", "--decision", calls, "0.8", "--source", "me", "--store", STORE)
    assert (result.exit_code, result.stderr) == (0, "")
    run("feedback", "--decision", calls, "0.6", "--source", "me", "--store", STORE)
    m, _ = json.loads(run("stats", "--store", STORE, "--json").stdout)["models"]
    assert (m["avg_quality"], m["ratings"]) == (pytest.approx(0.6), 1)


def test_feedback_moves_the_recommendation() -> None:
    for _ in range(12):
        assert run("feedback", "review", "analysis", "cheap", "0.5", "--store", STORE).exit_code == 0
    shown = json.loads(run("recommend", "review", "analysis", "--store", STORE, "--json").stdout)
    assert (shown["current_tier"], shown["recommended_tier"], shown["confidence"]) == ("cheap", "capable", 0.6)
    assert shown["stats"]["cheap"]["sample_count"] == 12
    text = run("recommend", "review", "analysis", "--tier", "cheap", "--store", STORE).stdout
    assert text.splitlines()[0] == "review/analysis: cheap -> capable"
    with FeedbackLoop(STORE) as loop:
        assert len(loop.get_feedback_history("review", "analysis", "cheap")) == 12


def test_an_id_makes_feedback_repeatable() -> None:
    rating = ("feedback", "w", "s", "cheap", "0.5", "--store", STORE, "--id", "once")
    assert run(*rating, "--json").stdout == '{\n  "feedback_id": "once"\n}\n'
    assert run(*rating).exit_code == 0
    other = run("feedback", "w", "s", "cheap", "0.9", "--store", STORE, "--id", "once")
    assert (other.exit_code, other.stderr) == (1, "tiercel: id 'once' was used before with other content\n")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["feedback", "w", "s", "0.5"], 2, "expected WORKFLOW STAGE TIER QUALITY, found 3 words"),
        (["feedback", "--decision", "d", "w", "s", "cheap", "0.5"], 2, "expected QUALITY, found 4 words"),
        (["feedback", "w", "s", "cheap", "good"], 2, "QUALITY must be a number in 0..1 (found 'good')"),
        (["feedback", "w", "s", "cheap", "1.5"], 2, "quality: must be a number in 0..1 (found 1.5)"),
        (["feedback", "w", "s", "cheap", "nan"], 2, "quality: must be a number in 0..1 (found nan)"),
        (["feedback", "w", "s", "chep", "0.5"], 2, "tier: must be one of cheap, capable, premium (found 'chep')"),
        (["feedback", "--decision", "dec_none", "0.5"], 1, "no decision 'dec_none' in the log"),
        (["recommend", "w", "s", "--tier", "chep"], 2, "must be one of cheap, capable, premium (found 'chep')"),
        (["recommend", "", "s"], 2, "must not be empty"),
        (["stats", "--time-range", "yesterday"], 2, "'yesterday' is not one of 'last_hour'"),
        (["stats", "--store", "nowhere"], 2, "--store: must be one of memory://"),
        (["feedback", "w", "s", "cheap", "0.5", "--store", "memory://"], 2, "must be a store that outlives"),
        (["stats", "--config", "no.toml"], 1, "no.toml: cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(args: list[str], code: int, message: str) -> None:
    chosen = [] if "--store" in args or "--config" in args else ["--store", STORE]
    result = run(*args, *chosen)
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = (line for line in result.stderr.splitlines() if "there is no store" not in line)
    assert line.startswith("tiercel: ")
    assert message in line


@pytest.mark.parametrize("command", [["stats"], ["recommend", "w", "s"]])
def test_reading_makes_no_store(command: list[str]) -> None:
    result = run(*command, "--store", STORE, "--json")
    assert result.exit_code == 0
    json.loads(result.stdout)
    assert "there is no store at sqlite:///kept.db yet" in result.stderr
    assert not Path("kept.db").exists()


def test_the_store_is_that_of_the_option_then_the_environment_then_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiercel.toml").write_text('[store]\nurl = "sqlite:///file.db"')

    def chosen(*options: str) -> str:
        return str(json.loads(run("stats", "--json", *options).stdout)["store"])

    assert chosen() == "sqlite:///file.db"
    monkeypatch.setenv("TIERCEL_STORE", "sqlite:///environment.db")
    assert chosen() == "sqlite:///environment.db"
    assert chosen("--store", "sqlite:///option.db") == "sqlite:///option.db"


def test_tiers_and_rules_are_those_of_the_file() -> None:
    Path("tiercel.toml").write_text('tiers = ["small", "large"]\n[feedback]\nmin_samples = 2\nquality_threshold = 0.9')
    for _ in range(2):
        assert run("feedback", "w", "s", "small", "0.8", "--store", STORE).exit_code == 0
    shown = json.loads(run("recommend", "w", "s", "--store", STORE, "--json").stdout)
    assert shown["recommended_tier"] == "large"


def test_a_rating_for_a_server_that_is_away_is_kept_and_figures_are_none() -> None:
    server = ("--store", f"redis://127.0.0.1:{free_port()}/0")
    assert json.loads(run("feedback", "w", "s", "cheap", "0.5", "--id", "mine", "--json", *server).stdout) == {
        "feedback_id": "mine",
        "buffered": True,
    }
    assert "kept 0.5 as" in run("feedback", "w", "s", "cheap", "0.5", *server).stdout
    assert len(list(Path().glob("tiercel-outbox-*.db"))) == 1
    failed = run("stats", *server)
    assert (failed.exit_code, "refused" in failed.stderr) == (1, True)
