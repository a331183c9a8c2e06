"""Every page over a live gateway under load, in light and dark, by keyboard, on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from support.browser import PAGES, PHONE, Scheme, dashboard
from support.load import EVIL, Running


def test_every_page_shows_its_figures_and_the_browser_goes_back(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go()
        for path, heading in PAGES.items():
            page.get_by_role("navigation", name="Pages").locator(f'a[href="#/{path}"]').click()
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            expect(page.locator('nav a[aria-current="page"]')).to_have_attribute("href", f"#/{path}")
            expect(page).to_have_title(re.compile("tiercel$"))
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
        seen.check()


def test_the_overview_counts_while_users_ask(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go()
        expect(page.locator("#state")).to_have_text("Live")
        figure = page.locator(".card", has_text="Requests").locator(".figure")
        expect(figure).to_have_text(re.compile("[1-9]"))
        before = figure.inner_text()
        expect(figure).not_to_have_text(before)
        expect(page.locator(".chart canvas")).not_to_have_count(0)
        page.get_by_label("Time range").select_option("last_24_hours")
        expect(page.locator("#told")).to_have_text("Showing the last 24 hours")
        expect(figure).to_have_text(re.compile("[1-9]"))
        figures = page.locator(".chart details", has_text="Figures").first
        figures.locator("summary").click()
        expect(figures.locator("tbody tr").first).to_be_visible()
        seen.check()


def test_a_decision_is_opened_with_all_its_candidates(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go("decisions")
        page.get_by_label("Stage").fill("triage")
        expect(page.locator("main tbody tr").first).to_contain_text("support / triage")
        expect(page.locator("main tbody")).not_to_contain_text("review / analysis")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Go on")).to_be_visible()
        page.locator("main tbody a").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("support / triage")
        candidates = page.get_by_role("region").or_(page.locator("section", has_text="Candidates")).first
        for model in ("ok", EVIL, "error-503"):
            expect(candidates.get_by_role("rowheader", name=model).first).to_be_visible()
        for column in ("Probability", "Capability score", "Performance score", "Penalties", "Fate"):
            expect(candidates.get_by_role("columnheader", name=column, exact=True)).to_be_visible()
        expect(page.locator("section", has_text="Outcome").locator("tbody tr").first).to_contain_text("success")
        seen.check()


def test_a_decision_that_is_not_there_says_so(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url, expected="404") as seen:
        page = seen.go("decisions/dec_none")
        expect(page.get_by_text("There is no such decision.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(browser: Browser, running: Running, scheme: Scheme) -> None:
    with dashboard(browser, running.url, scheme=scheme) as seen:
        found: dict[str, list[str]] = {}
        for path in (*PAGES, f"decisions/{running.evil_decision}"):
            seen.go(path)
            if findings := seen.serious_findings():
                found[path] = findings
        assert found == {}
        seen.check()


def test_a_phone_never_scrolls_sideways(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url, size=PHONE) as seen:
        wide = {}
        for path in (*PAGES, f"decisions/{running.evil_decision}"):
            seen.go(path)
            if overhang := seen.sideways():
                wide[path] = overhang
        assert wide == {}
        seen.check()


def test_the_keyboard_alone_reaches_everything(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        for _ in range(30):
            if page.evaluate("document.activeElement.getAttribute('href')") == "#/decisions":
                break
            page.keyboard.press("Shift+Tab")
        expect(page.locator('nav a[href="#/decisions"]')).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name="Decisions")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Pause")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.type("review")
        # what happens meanwhile renews the table and takes neither the focus nor what was typed
        first = page.locator("main tbody a").first
        newest = first.get_attribute("href")
        expect(first).not_to_have_attribute("href", newest or "")
        expect(page.get_by_label("Workflow")).to_be_focused()
        expect(page.get_by_label("Workflow")).to_have_value("review")
        for _ in range(4):
            page.keyboard.press("Tab")
        expect(page.locator("main tbody a").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=2, name="Candidates")).to_be_visible()
        seen.check()
