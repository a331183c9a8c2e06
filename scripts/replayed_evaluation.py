"""A comparison of policies on the demo's table, as `tiercel evaluate` keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tiercel.apps.demo.table import prompts

POLICIES = ("contextual", "adaptive-score", "tier-rules", "random")
_QUERIES = 600


def evaluate(folder: Path) -> None:
    """Write the table and its result to `folder`, which is made. Raises `subprocess.CalledProcessError`."""
    folder.mkdir()
    table = folder.parent / "outcomes.jsonl"
    rows = [
        {"query_id": prompt.id, "model": model, "task": prompt.stage, "quality": was.quality, "cost_usd": was.cost_usd}
        for prompt in prompts()[:_QUERIES]
        for model, was in prompt.recorded.items()
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = [f"--policy={name}" for name in POLICIES]
    options = ["--budget=0.0004", "--repeats=2", "--jobs=1", f"--json={folder / 'demo-table.json'}"]
    command = [sys.executable, "-m", "tiercel", "evaluate", str(table), *chosen, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
