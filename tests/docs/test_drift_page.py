"""docs/drift.md: its settings are the defaults, all of them."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

from tiercel.core.beliefs.shift import DriftSettings

PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text(encoding="utf-8")


def test_the_settings_are_the_defaults() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert tomllib.loads(block) == {"drift": asdict(DriftSettings())}
