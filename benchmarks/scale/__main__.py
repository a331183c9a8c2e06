"""Measure the constants and the small run, compare it with the model, keep all as data, write docs/scale.md."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from benchmarks import results
from benchmarks.scale import heavy, quiet, run
from benchmarks.scale.masters import ROOT, Masters, masters
from benchmarks.scale.model import Size
from benchmarks.scale.page import page
from benchmarks.scale.paper import checks, read_constants
from benchmarks.scale.script import Script
from rich.console import Console
from rich.table import Table

PAGE = ROOT / "docs" / "scale.md"
STORED = results.RESULTS / "scale.json"
CHECKED_SEGMENTS, CHECKED_MODELS = 3, 8
AGREED_S = 1.0
"""After the last call all know the same."""


def stored() -> dict[str, Any]:
    """What was measured last."""
    read: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return read


def measure(servers: Masters) -> dict[str, Any]:
    """Everything, a few minutes."""
    script = Script(quiet.FEW, quiet.SEED)
    states = heavy.measured(servers, script)
    known = quiet.constants(servers, states[-1])
    state = quiet.state(servers, script, segments=CHECKED_SEGMENTS, of=CHECKED_MODELS, buckets=1)
    seen = run.together(servers)
    servers.clear()
    return {
        "constants": asdict(known),
        "state": {"segments": CHECKED_SEGMENTS, "models": CHECKED_MODELS, "held": state.held},
        "size": asdict(run.SIZE),
        "run": seen,
        "away": {str(partitions): run.away(servers, script, partitions) for partitions in (1, 16)},
        "heavy": states,
    }


def main() -> int:
    """The exit code says whether what was measured is what the model says, within its bounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--page", action="store_true", help="measure nothing: write the page from what was measured")
    if not parser.parse_args().page:
        with masters() as servers:
            results.store("scale", measure(servers))
    content = stored()
    figures = content["figures"]
    found = checks(read_constants(figures["constants"]), Size(**figures["size"]), figures["run"], figures["state"])
    table = Table("what", "paper", "measured", "paper / measured", "within", title="the small run")
    for one in found:
        table.add_row(one.what, f"{one.paper:.4g}", f"{one.measured:.4g}", f"{one.ratio:.2f}", f"{one.within:g}")
    Console().print(table)
    PAGE.write_text(page(content), encoding="utf-8")
    agreed = figures["run"]["states"] == 1 and figures["run"]["agreed_after_s"] <= AGREED_S
    return sum(not one.holds for one in found) + (not agreed)


if __name__ == "__main__":
    sys.exit(main())
