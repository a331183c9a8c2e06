"""A real Chromium, and a page of the dashboard in it that notes whatever must not happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from scripts.chromium import FLAGS, needed

PAGES = {
    "": "Overview",
    "routing": "Routing",
    "decisions": "Decisions",
    "models": "Models and agents",
    "alerts": "Alerts",
    "approvals": "Approvals",
    "evaluations": "Evaluations",
}
"""The paths of the dashboard's pages, and their headings."""
WIDE, PHONE = (1280, 900), (375, 812)
WITHIN_MS = 20_000
_LAID_OUT_MS = 3_000
Scheme = Literal["light", "dark"]
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""
_BEYOND = """
() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const all = [...document.querySelectorAll("body *")];
  const beyond = all.filter((one) => one.getBoundingClientRect().right > clientWidth);
  return [`${scrollWidth - clientWidth} px`, ...beyond.map((one) => one.outerHTML.slice(0, 200))];
}
"""
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; a missing one is an error that says what to install."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needed(), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Seen:
    """A page of the dashboard, and what went wrong in it."""

    page: Page
    url: str
    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str = "") -> Page:
        """Show one of the dashboard's pages and wait until its figures are there."""
        self.page.goto(f"{self.url}/#/{path}")
        self.settled()
        return self.page

    def settled(self) -> None:
        """Wait until what is shown was read."""
        expect(self.page.locator("main h1")).to_be_visible()
        expect(self.page.locator("main[aria-busy]")).to_have_count(0)

    def check(self) -> None:
        """Nothing was blocked, nothing asked, nothing failed."""
        wrong = [*self.page.evaluate("window.violations"), *self.dialogs, *self.complaints]
        assert not wrong, "\n".join(wrong)

    def serious_findings(self) -> list[str]:
        """What axe-core finds serious or critical."""
        self.page.evaluate(f"() => {{ {_AXE} }}")
        found: Any = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{violation['id']} ({violation['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
            for violation in found["violations"]
            for node in violation["nodes"]
            if violation["impact"] in ("serious", "critical")
        ]

    def sideways(self) -> list[str]:
        """What makes the page wider than the screen, once it is laid out."""
        try:
            self.page.wait_for_function(f"({_BEYOND})().length === 0", timeout=_LAID_OUT_MS)
        except PlaywrightTimeoutError:
            beyond: list[str] = self.page.evaluate(_BEYOND)
            return beyond
        return []


@contextmanager
def dashboard(
    browser: Browser, url: str, *, scheme: Scheme = "light", size: tuple[int, int] = WIDE, expected: str = "\0"
) -> Iterator[Seen]:
    """A tab on a gateway's dashboard. Complaints of the console that hold `expected` are none."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    page.add_init_script(_NOTE_VIOLATIONS)
    seen = Seen(page, url)

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and expected not in message.text:
            seen.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def dismiss(dialog: Dialog) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("console", note)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", dismiss)
    try:
        yield seen
    finally:
        context.close()
