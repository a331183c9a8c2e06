"""python -m benchmarks.routing --data DIR: what tiercel's policies achieve on real outcomes, as docs/routing.md.

DIR (or TIERCEL_DATA) holds paretobandit.parquet and routellm.parquet. With --quick, two repeats and a few lines of each
section, on the demo's table where no folder is named; written to --out only.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.routing import budgets, coverage, gains, opponents, pool, ranking, scenarios
from benchmarks.routing.pictures import draw_all
from benchmarks.routing.plan import Plan, Section
from benchmarks.routing.report import page

from tiercel.domain.errors import TiercelError

SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (budgets.SECTION, ranking.SECTION, gains.SECTION, scenarios.SECTION, coverage.SECTION)
}
ROOT = Path(__file__).parents[2]


def arguments() -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=(__doc__ or "").splitlines()[0])
    folder = os.environ.get("TIERCEL_DATA")
    parser.add_argument("--data", type=Path, default=folder and Path(folder), help="where the outcome tables are")
    parser.add_argument("--quick", action="store_true", help="a smoke of it, within two minutes")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure these sections, keep the others")
    parser.add_argument("--split", default="test", choices=("test", "val"), help="of ParetoBandit's table")
    parser.add_argument("--repeats", type=int, default=20, help="of the lines that matter; others have three tenths")
    parser.add_argument("--out", type=Path, help="write page and figures here instead of into the repository")
    parser.add_argument("--page", action="store_true", help="measure nothing: write the page from the kept figures")
    return parser.parse_args()


def measure(section: Section, plan: Plan) -> dict[str, Any]:
    """A section's figures, with what they were measured by."""
    began = time.perf_counter()
    figures = section.figures(plan, pool.run(section.name, section.lines(plan), plan.folder))
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": results.commit(),
        "split": plan.split,
        "quick": plan.quick,
        "seconds": round(time.perf_counter() - began),
        **figures,
    }


def main() -> int:
    """Measure, keep the figures, draw, write the page."""
    given = arguments()
    logging.disable(logging.WARNING)  # the opponents warn of every cold start
    plan = Plan(given.data, quick=given.quick, split=given.split, wanted=max(2, given.repeats))
    if given.data is None and not (given.quick or given.page):
        print("the outcome tables are not part of the repository: name their folder with --data", file=sys.stderr)
        return 2
    if given.out is None and (given.quick or given.split != "test"):
        given.out = Path(tempfile.mkdtemp(prefix="tiercel-routing-"))
    for name in opponents.OPPONENTS:
        if opponents.missing(name):
            print(f"no figures of {name}: {opponents.missing(name)}", file=sys.stderr)
    kept = (given.out or ROOT / "benchmarks" / "results") / "routing.json"
    figures: dict[str, Any] = json.loads(kept.read_text())["figures"] if kept.exists() else {}
    for name, section in SECTIONS.items() if not given.page else ():
        if given.only and name not in given.only:
            continue
        if section.needs_folder and given.data is None:
            print(f"{name}: needs --data", file=sys.stderr)
            continue
        figures[name] = measure(section, plan)
        results.store("routing", figures, folder=kept.parent)
    docs = given.out or ROOT / "docs"
    draw_all(figures, docs / "routing")
    (docs / "routing.md").write_text(page(figures))
    print(docs / "routing.md")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TiercelError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
