"""`make reliability`: the tests that report a figure, in the sizes that the rows name, and the page of their figures.

What is given is passed on to pytest; figures of tests that did not run are kept from the last time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import results
from benchmarks.reliability.page import page
from benchmarks.reliability.records import Record, kept, replaced

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
STORED = results.RESULTS / "reliability.json"


def stored() -> list[Record]:
    """What was measured before."""
    if not STORED.exists():
        return []
    return [Record(**record) for record in json.loads(STORED.read_text(encoding="utf-8"))["figures"]["records"]]


def main() -> int:
    """Run them and write the page; the exit code is pytest's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--short", action="store_true", help="in the sizes of `make test`")
    parser.add_argument("--page", action="store_true", help="run nothing: write the page from what was measured")
    options, passed_on = parser.parse_known_args()
    failed = 0
    if not options.page:
        commit = results.commit()
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pytest", f"--reliability-results={folder}", *passed_on]
            command += [] if options.short else ["--full-size"]
            failed = subprocess.run(command, cwd=ROOT, check=False).returncode
            measured = [replace(record, commit=commit) for record in kept(Path(folder))]
        results.store("reliability", {"records": [asdict(record) for record in replaced(stored(), measured)]})
    PAGE.write_text(page(stored()), encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
