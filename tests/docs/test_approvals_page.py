"""docs/approvals.md: its program prints what it says, its settings exist, and its figures are those of the tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tiercel.config.settings import RouteSettings
from tiercel.core.policies.gated import GateSettings

PAGE = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_what_happens(tmp_path: Path) -> None:
    (program,), printed = blocks("python"), blocks("text")[-1]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.splitlines() == printed.splitlines()


def test_the_example_tells_the_story_of_the_text() -> None:
    lines = blocks("text")[-1].splitlines()
    assert "pending" in lines[0]
    assert "rolling" in lines[1]
    assert "rolled-back, surely worse" in lines[2]
    assert [line.split(maxsplit=1)[1] for line in lines[3:]] == [
        "tiercel pending",
        "ada approved",
        "tiercel rolling",
        "tiercel rolled-back",
    ]


def test_the_settings_shown_are_those_there_are_with_their_defaults() -> None:
    shown, handed_over = (tomllib.loads(block)["routes"][0] for block in blocks("toml"))
    assert {*shown, *handed_over} <= set(RouteSettings.__dataclass_fields__)
    gate = GateSettings()
    for name in ("approval_timeout_s", "ask_again_s"):
        assert shown[name] == getattr(gate, name)
    assert tuple(shown["rollout_shares"]) == gate.shares
    for name in ("min_ratings", "tolerance", "confidence"):
        assert shown[f"rollout_{name}"] == getattr(gate, name)
