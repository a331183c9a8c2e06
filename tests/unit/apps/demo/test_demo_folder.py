"""The demo's options, and the configuration it writes."""

from pathlib import Path

import pytest

from tiercel import bootstrap
from tiercel.apps.demo.folder import DemoSettings, work_folder, write_config
from tiercel.domain.errors import InvalidInput


@pytest.mark.parametrize(("policy", "budget_usd"), [("random", None), ("tier-rules", None), ("contextual", 0.0001)])
def test_the_configuration_is_read_as_meant(tmp_path: Path, policy: str, budget_usd: float | None) -> None:
    settings = DemoSettings(seed=7, policy=policy, good_enough=0.75, budget_usd=0.0001)
    read = bootstrap.load_settings(write_config(tmp_path, settings, port=8123, upstream_port=9123))
    assert (read.server.port, read.server.seed) == (8123, 7)
    assert read.feedback.quality_threshold == 0.75
    assert [(route.policy, route.budget_usd_per_request) for route in read.routes] == [(policy, budget_usd)]
    assert [(model.model_id, model.tier) for model in read.models] == [
        ("llama-3.1-8b", "cheap"),
        ("mistral-large-2512", "capable"),
        ("gemini-2.5-pro", "premium"),
    ]
    assert read.providers[0].base_url == "http://127.0.0.1:9123/v1"


def test_every_problem_of_the_options_is_told() -> None:
    with pytest.raises(InvalidInput) as error:
        DemoSettings(
            prompts=0,
            seed=-1,
            feedback_share=1.1,
            delay=-1,
            speed=0.5,
            policy="nope",
            budget_usd=0.0,
            good_enough=2,
            port=70_000,
        )
    assert [problem.path for problem in error.value.problems] == [
        "--prompts",
        "--seed",
        "--feedback-share",
        "--delay",
        "--speed",
        "--budget",
        "--good-enough",
        "--port",
        "--policy",
    ]


def test_a_temporary_folder_is_removed() -> None:
    with work_folder(None) as folder:
        (folder / "something").write_text("x")
    assert not folder.exists()


def test_a_given_folder_stays_and_may_be_used_again(tmp_path: Path) -> None:
    given = tmp_path / "new" / "folder"
    for _ in range(2):
        with work_folder(given) as folder:
            write_config(folder, DemoSettings(), port=1, upstream_port=2)
    assert (given / "tiercel.toml").is_file()


@pytest.mark.parametrize("name", ["notes.txt", "tiercel.toml"])
def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InvalidInput, match="--dir: must be empty"), work_folder(tmp_path):
        pytest.fail("it was taken")
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="--dir: cannot be used"), work_folder(tmp_path / "file"):
        pytest.fail("it was taken")
