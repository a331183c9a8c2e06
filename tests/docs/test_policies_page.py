"""docs/policies.md: its program prints what it says, and no policy is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tiercel.bootstrap import POLICIES
from tiercel.config.settings import FeedbackSettings, RouteSettings
from tiercel.core.grading import JudgeSettings

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_timeline_is_what_happens(tmp_path: Path) -> None:
    (program,), (printed,) = blocks("python"), blocks("text")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.splitlines() == printed.splitlines()


def test_the_timeline_tells_the_story_of_the_text() -> None:
    lines = blocks("text")[0].splitlines()
    share = {tuple(line.split()[:2]): re.findall(r"(\d+)%", line) for line in lines if "+- " in line}
    assert int(share["300", "code"][1]) > 90
    assert int(share["300", "chat"][0]) > 90
    alarms = [int(line.split()[0]) for line in lines if "alarm" in line]
    fall, recovery = alarms
    assert 300 < fall < 360
    assert 400 < recovery < 1000
    assert int(share["400", "chat"][1]) < 10
    assert int(share["1000", "code"][1]) > 90


def test_every_policy_has_its_part() -> None:
    for name in (*POLICIES, "safe", "judged"):
        assert re.search(rf"^## .*\b{name}\b", PAGE, re.MULTILINE), name


def test_the_settings_shown_exist() -> None:
    known = {*RouteSettings.__dataclass_fields__, *FeedbackSettings.__dataclass_fields__}
    for block in blocks("toml"):
        # what is commented out in an example is a setting too
        text = re.sub(r"^# (?=\w+ = )", "", block, flags=re.MULTILINE)
        read = tomllib.loads(text)
        sections = [*read.get("routes", []), read.get("feedback", {})]
        names = {name for section in sections for name in section}
        assert names <= known, names - known
        for route in read.get("routes", []):
            assert set(route.get("judge", {})) <= set(JudgeSettings.__dataclass_fields__)
