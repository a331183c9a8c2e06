"""docs/gateway.md names every path with exactly its methods, and examples/tiercel.toml every setting."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tiercel.apps.gateway.endpoints import RESOURCES
from tiercel.config import settings as config
from tiercel.core.adaptive import AdaptiveConfig
from tiercel.core.grading import JudgeSettings

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "gateway.md").read_text()
EXAMPLE = (REPOSITORY / "examples" / "tiercel.toml").read_text()


def test_every_path_is_documented_with_its_methods() -> None:
    rows = dict(re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", PAGE, re.MULTILINE))
    assert rows == {path: ", ".join(sorted(methods)) for path, methods in RESOURCES.items()}


@pytest.mark.parametrize(
    "section",
    [
        config.StoreSettings,
        config.ProviderSettings,
        config.RouteSettings,
        JudgeSettings,
        config.KeySettings,
        config.ServerSettings,
        config.FeedbackSettings,
        config.TelemetrySettings,
        config.DashboardSettings,
        AdaptiveConfig,
    ],
)
def test_every_setting_stands_in_the_example(section: type) -> None:
    missing = [f.name for f in fields(section) if not re.search(rf"^[ #]*(.*[ ,]|){f.name} = ", EXAMPLE, re.MULTILINE)]
    assert not missing
