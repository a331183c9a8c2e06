"""docs/dashboard.md names every page, shows every picture there is, and says what was measured and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks import results
from benchmarks.browser.__main__ import BEGIN, END, NAME, written
from scripts.screenshots import FOLDER, LOOKS, MOST_BYTES, PAGES

from tiercel.apps.dashboard import pages

PAGE = Path(__file__).parents[2] / "docs" / "dashboard.md"


def test_every_page_is_named() -> None:
    text = PAGE.read_text()
    modules = [name for name in pages.names() if name.startswith("js/pages/") and not name.endswith("/decision.js")]
    named = re.findall(r"^\| ([A-Z]\w+) \|", text.split("## The pages")[1].split("## Live")[0], re.MULTILINE)
    assert sorted(f"js/pages/{name.lower()}.js" for name in named) == sorted(modules)


def test_every_picture_is_there_small_and_shown() -> None:
    text = PAGE.read_text()
    wanted = {
        f"{name}-{look.name}.png" for name in [*(page or "overview" for page in PAGES), "decision"] for look in LOOKS
    }
    assert {path.name for path in FOLDER.iterdir()} == wanted
    assert all(path.stat().st_size <= MOST_BYTES for path in FOLDER.iterdir())
    assert set(re.findall(r"\(screenshots/([\w-]+\.png)\)", text)) == wanted


def test_what_is_said_was_measured() -> None:
    text = PAGE.read_text()
    content = json.loads((results.RESULTS / f"{NAME}.json").read_text())
    assert text.split(BEGIN)[1].split(END)[0].strip() == written(content).strip()
    assert content["figures"]["decisions"] == 100_000
    assert content["figures"]["first_view"]["median_ms"] < 1_000
