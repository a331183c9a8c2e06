"""What the page does when events, or the whole gateway, do not come through."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from support.browser import dashboard
from support.load import Running

REFUSED = "ERR_FAILED"


def test_without_events_the_figures_are_read_again_all_the_same(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url, expected=REFUSED) as seen:
        seen.page.route("**/v1/events*", lambda route: route.abort())
        page = seen.go()
        expect(page.locator("#state")).to_have_text("Every 5 s")
        figure = page.locator(".card", has_text="Requests").locator(".figure")
        before = figure.inner_text()
        expect(figure).not_to_have_text(before)
        seen.check()


def test_what_was_read_stays_while_the_gateway_is_away_and_is_renewed_after(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url, expected=REFUSED) as seen:
        page = seen.go()
        figure = page.locator(".card", has_text="Requests").locator(".figure")
        expect(figure).to_have_text(re.compile("[1-9]"))
        page.route("**/v1/**", lambda route: route.abort())
        expect(page.locator("#state")).to_have_text("Not reachable")
        expect(figure).to_have_text(re.compile("[1-9]"))
        before = figure.inner_text()
        page.unroute("**/v1/**")
        expect(page.locator("#state")).not_to_have_text("Not reachable")
        expect(figure).not_to_have_text(before)
        seen.check()


def test_a_gateway_without_calls_says_what_to_do_next(browser: Browser, running: Running) -> None:
    nothing = {
        "time_range": "last_hour",
        "requests": 0,
        "success_rate": None,
        "latency": {"mean": None, "p95": None, "p99": None},
        "spend_usd": None,
        "unpriced_requests": 0,
        "quality": None,
        "saved": None,
        "saved_reason": "nothing was called",
        "decisions_per_s": None,
        "active_alerts": {"count": 0, "worst": None},
        "pending_approvals": 0,
        "store": {"degraded": False, "buffered": 0, "kept": 0, "dropped": 0},
        "previous": None,
    }
    with dashboard(browser, running.url) as seen:
        seen.page.route("**/v1/overview*", lambda route: route.fulfill(json=nothing))
        seen.page.route("**/v1/series*", lambda route: route.fulfill(status=404, json={}))
        page = seen.page
        page.goto(running.url)
        seen.settled()
        expect(page.locator("main")).to_contain_text("No calls in the last hour.")
        expect(page.locator("main")).to_contain_text(f"{running.url}/v1")
        expect(page.locator(".card", has_text="Saved")).to_contain_text("unknown: nothing was called")
        expect(page.locator(".card", has_text="Spend").locator(".figure")).to_have_text("\u2013")
