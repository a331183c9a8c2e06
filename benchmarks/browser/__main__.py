"""`python -m benchmarks.browser`: some six minutes; the figures go to benchmarks/results and docs/dashboard.md."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.browser import looks, served
from benchmarks.dashboard import DECISIONS
from playwright.sync_api import expect, sync_playwright
from rich.console import Console
from scripts.chromium import FLAGS, needed

NAME = "browser"
PAGE = Path(__file__).parents[2] / "docs" / "dashboard.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def measured() -> dict[str, Any]:
    """Every figure."""
    expect.set_options(timeout=60_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        served.gateway(Path(folder)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=needed(), args=[*FLAGS, "--enable-precise-memory-info"])
        first = looks.first_views_ms(browser, url)
        Console().print(first)
        with served.callers(url):
            updates = looks.updates(browser, url)
            Console().print(updates)
        with served.callers(url, served.CALM_S):
            hour = looks.hour(browser, url)
            Console().print(hour)
        version = browser.version
        browser.close()
    return {"decisions": DECISIONS, "chromium": version, "first_view": first, "updates": updates, "hour": hour}


def written(content: Mapping[str, Any]) -> str:
    """The figures as they stand in docs/dashboard.md."""
    figures, machine = content["figures"], content["machine"]
    first, updates, hour = figures["first_view"], figures["updates"], figures["hour"]
    begun, ended = hour[1], hour[-1]
    rows = (
        (
            "first view, until cards and charts are drawn",
            f"{first['median_ms']:,.0f} ms (slowest of {first['views']}: {first['longest_ms']:,.0f} ms)",
        ),
        (
            f"longest frame in {updates['seconds']} s of events, {updates['reads']} readings",
            f"{updates['longest_ms']:,.0f} ms; {updates['late']} of {updates['frames']:,} frames above 50 ms",
        ),
        (
            "tasks above 50 ms meanwhile",
            f"{updates['long_tasks']}, the longest {updates['longest_task_ms']:,.0f} ms",
        ),
        (
            f"memory of the page's objects after {begun['reads']:,} and {ended['reads']:,} readings",
            f"{begun['heap_mb']:.1f} MB and {ended['heap_mb']:.1f} MB",
        ),
        ("nodes of the page then", f"{begun['nodes']:,.0f} and {ended['nodes']:,.0f}"),
    )
    cut = ""
    if ended["reads"] < looks.READS_OF_AN_HOUR:
        cut = (
            f"\nThe machine was busy: the hour ended after {ended['reads']:,} of {looks.READS_OF_AN_HOUR:,} readings.\n"
        )
    table = "\n".join(["| what | measured |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])
    return (
        f"With {figures['decisions']:,} decisions of a month in SQLite, on {machine['cores']} shared cores "
        f"({machine['processor']}), browser, gateway and callers on the same ones, Chromium {figures['chromium']}, "
        f"commit {content['commit']}:\n\n{table}\n{cut}"
    )


def main() -> int:
    """Measure, unless `--page` only writes the page anew."""
    if "--page" not in sys.argv[1:]:
        results.store(NAME, measured())
    content = json.loads((results.RESULTS / f"{NAME}.json").read_text())
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{written(content)}{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
