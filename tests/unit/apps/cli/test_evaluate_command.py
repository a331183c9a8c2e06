from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from tiercel.apps.cli.main import program
from tiercel.bootstrap import POLICIES

MODELS = {"lab/small": (0.5, 0.001), "lab/middle": (0.8, 0.004), "lab/large": (0.9, 0.02)}
KEYS = {
    "quality", "cost_usd", "latency_ms", "regret", "share", "quality_ci", "cost_ci", "gain_over_hull", "gain_ci",
    "decide_us", "gain_over_hull_last_half", "gain_last_half_ci", "spend_over_budget", "max_overdraft", "max_deficit",
}  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """60 queries of split "test" and 20 of "val", of two tasks; one of "test" lacks a model."""
    chance = random.Random(5)
    rows = [
        {
            "query_id": f"q{i}",
            "task": "ab"[i % 2],
            "prompt": f"question {i}",
            "model": model,
            "quality": float(chance.random() < quality),
            "cost_usd": cost * chance.uniform(0.5, 1.5),
            "latency_ms": None,
            "split": "test" if i < 60 else "val",
        }
        for i in range(80)
        for model, (quality, cost) in MODELS.items()
    ]
    del rows[0]
    path = tmp_path / "outcomes.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(program, ["evaluate", *map(str, args)])


def result_of(table: Path, *args: object) -> dict[str, Any]:
    result = run(table, "--jobs", 1, "--repeats", 3, "--json", "-", *args)
    assert result.exit_code == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_the_result_is_what_the_interface_promises(table: Path) -> None:
    result = result_of(table, "--policy", "all", "--budget", 0.005, "--split", "test")
    assert set(result) == {"table", "settings", "hull", "baselines", "policies"}
    assert (result["table"]["queries"], result["table"]["dropped_queries"]) == (59, 1)
    assert set(result["baselines"]) == {"random", "best_single", "cheapest", "best_per_task", "oracle"}
    assert set(result["policies"]) == set(POLICIES)
    for figures in (*result["baselines"].values(), *result["policies"].values()):
        assert set(figures) >= KEYS
        assert sum(figures["share"].values()) == pytest.approx(1.0)
        assert figures["quality_ci"][0] <= figures["quality"] <= figures["quality_ci"][1]
        assert figures["latency_ms"] is None
        assert figures["spend_over_budget"] == pytest.approx(figures["cost_usd"] / 0.005)
    assert result["policies"]["random"]["decide_us"] > 0
    assert result["policies"]["random"]["max_overdraft"] >= 0


def without_times(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: without_times(held) for name, held in value.items() if name != "decide_us"}
    return [without_times(held) for held in value] if isinstance(value, list) else value


def test_a_seed_says_it_all_but_the_times_whatever_the_number_of_processes(table: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.json" for name in ("one", "two", "other")]
    options = (table, "--policy", "all", "--repeats", 3, "--feedback-rate", 0.5, "--delay", 4)
    for file, jobs, seed in zip(files, (1, 2, 1), (3, 3, 4), strict=True):
        assert run(*options, "--jobs", jobs, "--seed", seed, "--json", file).exit_code == 0
    one, two, other = (without_times(json.loads(file.read_text())) for file in files)
    assert json.dumps(one) == json.dumps(two)
    assert one["policies"] != other["policies"]


def test_a_frontier_adds_its_points_and_the_figures_of_its_curve(table: Path) -> None:
    result = result_of(table, "--policy", "random", "--frontier", 3)
    figures = result["policies"]["random"]
    assert [point["budget_usd"] for point in figures["frontier"]] == sorted(
        point["budget_usd"] for point in figures["frontier"]
    )
    assert len(figures["frontier"]) == 3
    assert set(figures["frontier"][0]) >= KEYS
    assert (figures["cpt50"], figures["apgr"]) == (None, None)
    assert result["hull_frontier"]["aiq"] >= figures["aiq"]
    pair = result_of(table, "--policy", "random", "--frontier", 2, "--models", "small,large")
    assert pair["hull_frontier"]["apgr"] == pytest.approx(0.5)
    assert pair["policies"]["random"]["cpt50"] > 0


def test_a_scenario_adds_how_soon_it_was_acted_on(table: Path) -> None:
    figures = result_of(table, "--policy", "fixed", "--scenario", "recover")["policies"]["fixed"]
    assert (figures["detection_delay"], figures["recovery_delay"], figures["newcomer_share"]) == (None, None, None)
    assert [change["models"] for change in figures["changes"]] == [{"lab/small": 1.0}] * 2
    arrived = result_of(table, "--policy", "random", "--scenario", "arrive")["policies"]["random"]
    assert 0 < arrived["newcomer_share"] < 1


def test_a_warm_start_brings_the_mix_that_was_best_before(table: Path) -> None:
    result = result_of(table, "--split", "test", "--warm-start", "val", "--budget", 0.004)
    assert result["table"]["warm_start_queries"] == 20
    assert result["baselines"]["prior_static_mix"]["gain_over_hull"] <= 1e-9


def test_the_incumbent_is_what_fixed_serves_and_deficits_are_held_against(table: Path) -> None:
    result = result_of(table, "--policy", "fixed", "--incumbent", "large")
    assert result["policies"]["fixed"]["share"]["lab/large"] == 1.0
    assert result["policies"]["fixed"]["max_deficit"] == 0.0


def test_tables_for_people(table: Path) -> None:
    result = run(table, "--policy", "tier-rules", "--repeats", 2, "--jobs", 1, "--scenario", "degrade", "--frontier", 2)
    assert result.exit_code == 0
    assert "79 queries of 2 tasks, 2 repeats" in result.stdout
    for said in ("* tier-rules", "always lab/middle", "best per task", "fixed mixes", "from request 26 on (lab/small)"):
        assert said in result.stdout
    assert result.stderr.startswith("tiercel: 1 queries left out")


def test_a_plot_is_the_same_for_the_same_result(table: Path, tmp_path: Path) -> None:
    plots = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for plot in plots:
        options = ("--policy", "random", "--repeats", 2, "--jobs", 1, "--frontier", 2, "--plot", plot)
        assert run(table, *options).exit_code == 0
    assert plots[0].read_bytes() == plots[1].read_bytes()
    said = "".join(ET.parse(plots[0]).getroot().itertext())  # noqa: S314 - we wrote it
    for text in ("lab/small", "hull of fixed mixes", "random, by budget", "oracle", "mean cost per request, USD"):
        assert text in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--policy", "best"], "policy: must be one of"),
        (["--split", "dev"], "split: must be one of test, val (found 'dev')"),
        (["--models", "tiny"], "models: must be among lab/"),
        (["--incumbent", "tiny"], "incumbent: must be among lab/"),
        (["--budget", "1", "--target-quality", ".9"], "--target-quality and --budget exclude each other"),
        (["--budget", "0"], "budget: must be above 0 USD per request (found 0.0)"),
        (["--budget", "nan"], "budget: must be above 0"),
        (["--target-quality", "2"], "--target-quality"),
        (["--weights", "q=1,x=2"], "weights: must be like q=1,c=0.5,l=0"),
        (["--weights", "q=1,q=2"], "weights: must be like"),
        (["--weights", "q"], "weights: must be like"),
        (["--warm-start", "val"], "warm_start: must be another split"),
        (["--split", "val", "--warm-start", "val"], "warm_start: must be another split"),
        (["--scenario", "war"], "--scenario"),
        (["--feedback-rate", "1.1"], "--feedback-rate"),
        (["--repeats", "0"], "--repeats"),
        (["--json", "nowhere/r.json"], "json: the folder of the file does not exist"),
        (["--plot", "nowhere/r.svg"], "plot: the folder of the file does not exist"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(table: Path, args: list[str], message: str) -> None:
    result = run(table, "--jobs", 1, "--repeats", 1, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    result = run("nothing.parquet")
    assert (result.exit_code, result.stderr) == (2, "tiercel: there is no file nothing.parquet\n")


def test_without_costs_there_is_quality_and_no_budget(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "query_id,model,quality\n" + "".join(f"q{i},m{j},{(i + j) % 2}\n" for i in range(9) for j in (0, 1))
    )
    figures = result_of(path, "--policy", "random")["policies"]["random"]
    assert (figures["cost_usd"], figures["gain_over_hull"], figures["cost_ci"]) == (None, None, None)
    for option in (("--budget", 1), ("--frontier", 2), ("--plot", tmp_path / "p.svg")):
        result = run(path, "--repeats", 1, "--jobs", 1, *option)
        assert (result.exit_code, "costs" in result.stderr) == (2, True)


def test_what_a_plot_needs_is_said_before_the_work(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiercel.apps.evaluation.plot.find_spec", lambda _: None)
    result = run(table, "--plot", tmp_path / "p.svg")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pip install 'tiercel[evaluate]'" in result.stderr
