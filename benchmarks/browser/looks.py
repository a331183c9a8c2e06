"""What is measured in the page: when the first figures stand, how long a frame takes, how much memory is held."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect

FIRST_VIEWS = 7
STREAMED_S = 60
READS_OF_AN_HOUR = 3_600
PARTS_OF_AN_HOUR = 12
MOST_S = 1_200
"""On a busy machine the hour ends earlier, and says after how many readings."""
FASTER = 100
PAGES = ("", "routing", "decisions", "models", "alerts", "approvals", "evaluations")

_WATCH_FIRST = """
window.firstFigures = null;
new MutationObserver((_, observer) => {
  const [figures, charts] = [".card .figure", ".chart canvas"].map((what) => document.querySelectorAll(what).length);
  if (figures < 10 || charts < 5) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.firstFigures = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""
_WATCH_FRAMES = """() => {
  const seen = window.frames_seen = { longest_ms: 0, frames: 0, late: 0, long_tasks: 0, longest_task_ms: 0 };
  let last = null;
  const frame = (at) => {
    if (last !== null) {
      seen.frames += 1;
      seen.longest_ms = Math.max(seen.longest_ms, at - last);
      if (at - last > 50) seen.late += 1;
    }
    last = at;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      seen.long_tasks += 1;
      seen.longest_task_ms = Math.max(seen.longest_task_ms, duration);
    }
  }).observe({ type: "longtask" });
}"""
_FASTER = f"""
const later = window.setTimeout.bind(window);
window.setTimeout = (act, ms, ...more) => later(act, (ms ?? 0) / {FASTER}, ...more);
"""


@contextmanager
def page_of(browser: Browser, *scripts: str) -> Iterator[Page]:
    """A tab of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    for script in scripts:
        page.add_init_script(script)
    yield page
    context.close()


def first_views_ms(browser: Browser, url: str) -> dict[str, float]:
    """From the address to cards and charts on the screen, with nothing cached."""
    took = []
    for _ in range(FIRST_VIEWS):
        with page_of(browser, _WATCH_FIRST) as page:
            page.goto(url)
            while (ready := page.evaluate("window.firstFigures")) is None:
                page.locator("main h1").wait_for()
            took.append(float(ready))
    return {"median_ms": statistics.median(took), "longest_ms": max(took), "views": FIRST_VIEWS}


def updates(browser: Browser, url: str) -> dict[str, float]:
    """Frames while events stream in and the figures are read again."""
    reads = 0

    def count(_: object) -> None:
        nonlocal reads
        reads += 1

    with page_of(browser) as page:
        page.goto(url)
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator(".chart canvas").first).to_be_visible()
        page.on("request", lambda request: count(request) if "/v1/overview" in request.url else None)
        page.evaluate(_WATCH_FRAMES)
        page.wait_for_timeout(STREAMED_S * 1_000)
        seen: dict[str, float] = page.evaluate("window.frames_seen")
    return {**seen, "seconds": STREAMED_S, "reads": reads}


def hour(browser: Browser, url: str) -> list[dict[str, float]]:
    """Memory after so many readings as an hour has at most, the page's pauses made shorter; all pages in between."""
    held = []
    with page_of(browser, _FASTER) as page:
        session = page.context.new_cdp_session(page)
        reads = 0

        def count(request: Any) -> None:  # noqa: ANN401 - the library's own type
            nonlocal reads
            reads += "/v1/overview" in request.url

        page.on("request", count)
        began_s = time.monotonic()
        for part in range(PARTS_OF_AN_HOUR + 1):
            if time.monotonic() - began_s > MOST_S:
                break
            for path in (*PAGES, ""):
                page.goto(f"{url}/#/{path}")
                expect(page.locator("main h1")).to_be_visible()
                expect(page.locator("main[aria-busy]")).to_have_count(0)
            while reads < part * READS_OF_AN_HOUR // PARTS_OF_AN_HOUR:
                page.wait_for_timeout(100)
            held.append({"reads": reads, **_memory(session)})
    return held


def _memory(session: CDPSession) -> dict[str, float]:
    session.send("Performance.enable")
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {
        "heap_mb": metrics["JSHeapUsedSize"] / 1e6,
        "nodes": metrics["Nodes"],
        "listeners": metrics["JSEventListeners"],
    }
