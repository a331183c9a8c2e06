"""`tiercel approvals` and `tiercel changes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.worlds import THREE_TIERS
from tiercel.apps.cli.main import program
from tiercel.config.settings import RouteSettings, Settings, StoreSettings
from tiercel.library.router import Router
from tiercel.services.rating.intake import FeedbackRequest

STORE = "sqlite:///kept.db"


def run(*args: str) -> Any:  # noqa: ANN401 - typer's result type is of no interest
    return CliRunner().invoke(program, [*args, "--store", STORE])


@pytest.fixture
def asked() -> str:
    """A store in which a change waits; its id."""
    routes = (RouteSettings(policy="tier-rules", changes="approval"),)
    settings = Settings(store=StoreSettings(url=STORE), models=THREE_TIERS, routes=routes)
    with Router(settings=settings, store=STORE) as router:
        rating = FeedbackRequest(workflow="w", stage="s", tier="cheap", quality=0.2)
        router.intake.send([rating] * 20)[1].result(10)
        return router.approvals("pending")[0].id


def test_what_waits_is_listed_and_answered(asked: str) -> None:
    table = run("approvals")
    assert table.exit_code == 0
    for told in (asked, "w/s", "cheap", "capable", "pending", "waits for approval"):
        assert told in table.stdout
    (plain,) = json.loads(run("approvals", "--status", "pending", "--json").stdout)
    assert (plain["id"], plain["workflow"], plain["from"], plain["to"]) == (asked, "w", "cheap", "capable")
    done = run("approvals", "approve", asked, "--reason", "checked by hand", "--by", "ada")
    assert (done.exit_code, done.stdout.strip()) == (0, f"{asked}: w/s cheap -> capable is approved")
    assert json.loads(run("approvals", "--status", "pending", "--json").stdout) == []
    log = json.loads(run("changes", "--json").stdout)
    assert [(row["status"], row["by"]) for row in log] == [("approved", "ada"), ("pending", "tiercel")]
    assert "approved by ada: checked by hand" in run("changes").stdout


def test_a_no_says_why_and_the_second_answer_is_told(asked: str) -> None:
    assert run("approvals", "reject", asked).exit_code == 2
    rejected = run("approvals", "reject", asked, "--reason", "too dear", "--json")
    assert json.loads(rejected.stdout)["status"] == "rejected"
    late = run("approvals", "approve", asked)
    assert late.exit_code == 1
    assert "is rejected since" in late.stderr
    assert run("approvals", "stop", "change_0", "--reason", "x").exit_code == 1


def test_there_is_nothing_where_there_is_no_store(tmp_path: Path) -> None:
    assert run("approvals", "--json").stdout.strip() == "[]"
    assert run("changes", "--json").stdout.strip() == "[]"
    assert run("approvals", "approve", "change_0").exit_code == 2
    assert list(tmp_path.iterdir()) == []
