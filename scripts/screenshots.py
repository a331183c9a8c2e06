"""docs/screenshots: every page of the dashboard over a replayed day, in light, dark and on a phone.

python -m scripts.screenshots
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from scripts import replayed_gateway
from scripts.chromium import FLAGS, needed

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
PAGES = ("", "routing", "decisions", "models", "alerts", "approvals", "evaluations")
REQUESTS = 16_000
TALLEST = 1600
MOST_BYTES = 150_000
_COLOURS = (256, 128, 64, 32)
_READY_MS = 30_000


class Look(NamedTuple):
    """How a page is looked at."""

    name: str
    scheme: Literal["light", "dark"]
    width: int
    height: int


LOOKS = (Look("light", "light", 1280, 800), Look("dark", "dark", 1280, 800), Look("phone", "light", 375, 812))


def take(browser: Browser, url: str, look: Look) -> None:
    """Every page in one look."""
    size = {"width": look.width, "height": look.height}
    context = browser.new_context(color_scheme=look.scheme, viewport=size, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Time range").select_option("last_24_hours")
    for path in PAGES:
        page.goto(f"{url}/#/{path}")
        settled(page)
        keep(page, f"{path or 'overview'}-{look.name}")
        if path == "decisions":
            page.locator("main tbody tr", has_text="assistant").locator("a").first.click()
            expect(page.get_by_role("heading", name="Candidates")).to_be_visible()
            settled(page)
            keep(page, f"decision-{look.name}")
    context.close()


def settled(page: Page) -> None:
    """Wait until what is shown was read and drawn."""
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("main[aria-busy]")).to_have_count(0)
    expect(page.locator("#state")).to_have_text("Live")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def keep(page: Page, name: str) -> None:
    """Write it with as few colours as it takes to be small."""
    tall = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    width = page.viewport_size["width"] if page.viewport_size else LOOKS[0].width
    shot = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": tall})
    with Image.open(io.BytesIO(shot)) as whole:
        plain = whole.convert("RGB")
    for colours in _COLOURS:
        small = io.BytesIO()
        fewer = plain.quantize(colours, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
        fewer.save(small, "PNG", optimize=True)
        if small.tell() <= MOST_BYTES:
            break
    (FOLDER / f"{name}.png").write_bytes(small.getvalue())


def main() -> int:
    """Make them all anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    expect.set_options(timeout=_READY_MS)
    with (
        tempfile.TemporaryDirectory() as folder,
        replayed_gateway.gateway(Path(folder), requests=REQUESTS) as url,
        replayed_gateway.users(url),
        sync_playwright() as playwright,
    ):
        replayed_gateway.attend(url)
        browser = playwright.chromium.launch(executable_path=needed(), args=FLAGS)
        for look in LOOKS:
            take(browser, url, look)
        browser.close()
    sys.stdout.write(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER.relative_to(Path.cwd())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
