"""`tiercel ope` on logs that a real router wrote, against what is true of the models that answered."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiercel import ModelProfile, Price, Router

TIERCEL = Path(sys.executable).with_name("tiercel")
TRUTH = {"small": (0.6, 0.0001), "middle": (0.8, 0.001), "large": (0.9, 0.01)}
"""Mean quality and cost of each model, alike in every stage."""
MODELS = [
    ModelProfile(model_id=name, tier=tier, price=Price(1e4 * cost, 0.0))
    for (name, (_, cost)), tier in zip(TRUTH.items(), ("cheap", "capable", "premium"), strict=True)
]
CONFIG = """
[[providers]]
id = "p"
base_url = "https://api.example.com/v1"

[[models]]
id = "small"
provider = "p"
tier = "cheap"

[[models]]
id = "middle"
provider = "p"
tier = "capable"

[[models]]
id = "large"
provider = "p"
tier = "premium"

[[routes]]
name = "first"
match = "work/stage-0"
policy = "fixed"
model = "middle"
"""


def write_log(file: Path, *, policy: str, requests: int, seed: int = 1) -> None:
    chance = random.Random(f"answers {seed}")
    with Router(models=MODELS, policy=policy, store=f"sqlite:///{file}", seed=seed) as router:
        for number in range(requests):
            decision = router.decide("work", f"stage-{number % 3}")
            quality = float(chance.random() < TRUTH[decision.model][0])
            router.record_outcome(decision.id, success=True, latency_ms=100.0, prompt_tokens=100, completion_tokens=0)
            router.record_feedback(decision.id, quality, source=f"user-{number % 7}")


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("even") / "log.db"
    write_log(file, policy="random", requests=600)
    return file


@pytest.fixture(scope="module")
def greedy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("greedy") / "log.db"
    write_log(file, policy="tier-rules", requests=150)
    return file


def ope(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = [TIERCEL, "ope", *args]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def as_json(*args: str | Path, cwd: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(ope(*args, "--json", cwd=cwd).stdout)
    return said


def holds(estimate: dict[str, Any], truth: float) -> bool:
    low, high = estimate["ci"]
    return bool(low - 1e-9 <= truth <= high + 1e-9)


def test_what_fixed_models_would_have_achieved(even: Path, tmp_path: Path) -> None:
    names = [f"fixed:{name}" for name in TRUTH]
    found = as_json(even, *(part for name in names for part in ("--policy", name)), cwd=tmp_path)
    assert found["decisions"]["rated"] == found["rows"] == 600
    mean = sum(quality for quality, _ in TRUTH.values()) / 3
    assert holds(found["logged"]["quality"], mean)
    for name, (quality, cost_usd) in TRUTH.items():
        valued = found["policies"][f"fixed:{name}"]
        assert valued["verdict"] == "estimated"
        for estimator in ("dr", "snips", "ips"):
            assert holds(valued["quality"][estimator], quality)
        assert holds(valued["cost_usd"]["dr"], cost_usd)
        assert holds(valued["quality"]["difference"], quality - mean)
        assert valued["diagnostics"]["effective_sample_size"] > 150
    assert found["policies"]["fixed:large"]["quality"]["difference"]["ci"][0] > 0


def test_the_table_says_the_same(even: Path, tmp_path: Path) -> None:
    said = ope(f"sqlite:///{even}", "--policy", "fixed:large", "--policy", "random", cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    found = as_json(even, "--policy", "fixed:large", "--policy", "random", cwd=tmp_path)
    value = found["policies"]["fixed:large"]["quality"]["dr"]["value"]
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("fixed:large") and "of 600" not in line)
    assert f"{value:.4f}" in line
    assert "missing at random" in said.stdout


def test_a_policy_that_learns_is_valued_on_what_it_did_not_see(even: Path, tmp_path: Path) -> None:
    found = as_json(even, "--policy", "tier-rules", "--train-share", "0.25", cwd=tmp_path)
    assert (found["learned_from"], found["rows"]) == (150, 450)


def test_a_refusal_says_why_and_what_would_help(greedy: Path, tmp_path: Path) -> None:
    refused = ope(greedy, "--policy", "fixed:large", "--policy", "tier-rules", "--train-share", "0", cwd=tmp_path)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "refused: not enough overlap: about" in refused.stdout
    assert "more judged requests at floor" in refused.stdout
    assert "the log never chooses large" in refused.stdout
    found = as_json(greedy, "--policy", "fixed:large", cwd=tmp_path)["policies"]["fixed:large"]
    assert found["verdict"] == "refused"
    assert found["reasons"]
    assert found["quality"] is None
    assert found["advice"]["judged_requests"] >= 100
    assert found["diagnostics"]["mass_without_support"] == pytest.approx(1.0)


def test_reading_changes_nothing(even: Path, tmp_path: Path) -> None:
    before = as_json(even, "--policy", "random", cwd=tmp_path)
    assert as_json(even, "--policy", "random", cwd=tmp_path) == before
    missing = ope(tmp_path / "none.db", "--policy", "random", cwd=tmp_path)
    assert missing.returncode == 2
    assert "there is no store" in missing.stderr
    assert not (tmp_path / "none.db").exists()


def test_one_routes_requests_by_its_settings(even: Path, tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text(CONFIG)
    found = as_json(even, "--policy", "fixed", "--route", "first", cwd=tmp_path)
    assert (found["rows"], found["route"]) == (200, "first")
    # 200 rows of three models are worth 67, and the settings' model is the one that is valued
    assert found["policies"]["fixed"]["diagnostics"]["effective_sample_size"] == pytest.approx(67, rel=0.3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--policy", "nobody"], "must be one of contextual"),
        (["--policy", "fixed:nobody"], "must name a model of the log (small, middle, large)"),
        (["--policy", "random:small"], "only fixed names a model"),
        (["--policy", "random", "--route", "nowhere"], "must be one of the configured routes"),
        (["--policy", "random", "--budget", "1", "--target-quality", "0.5"], "exclude each other"),
        (["--policy", "random", "--budget", "0"], "above 0 USD"),
        (["--policy", "random", "--weights", "x=1"], "must be like q=1"),
        (["--policy", "random", "--train-share", "1"], "train-share"),
        ([], "--policy"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(even: Path, tmp_path: Path, options: list[str], said: str) -> None:
    refused = ope(even, *options, cwd=tmp_path)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
