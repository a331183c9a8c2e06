"""An operator at work: told of an alert while it happens, says yes to a change, gives agents their models."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from support import servers
from support.browser import dashboard
from support.load import EVIL, Running, ask, rate


def test_an_alert_is_raised_acknowledged_and_resolved_while_one_looks(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go("alerts")
        active = page.locator("section", has=page.get_by_role("heading", name="Active"))
        expect(active).to_contain_text("Nothing is wrong.")
        for _ in range(6):
            status, _ = ask(running.url, "error-503", workflow="review", stage="failing")
            assert status == 502
        failing = active.locator("tbody tr", has_text="rapid failures")
        expect(failing).to_be_visible()
        failing.get_by_role("button", name="Acknowledge").click()
        expect(failing).to_contain_text("by local")
        expect(page.locator("#told")).to_contain_text("Acknowledged")
        history = page.locator("section", has=page.get_by_role("heading", name="History"))
        expect(history.locator("tbody tr", has_text="rapid failures").first).to_be_visible()
        expect(active.locator("tbody tr", has_text="rapid failures")).to_have_count(0)
        seen.check()


def test_a_change_that_waits_is_approved_with_a_reason(browser: Browser, running: Running) -> None:
    for i in range(20):
        status, answer = ask(running.url, workflow="wanting", stage="answers")
        assert status == 200
        rate(running.url, answer["id"], 0.3, source=f"user:{i}")
    with dashboard(browser, running.url) as seen:
        page = seen.go("approvals")
        request = page.locator(".request", has_text="wanting / answers")
        expect(request).to_contain_text("Low quality")
        expect(request).to_contain_text("cheap")
        expect(request).to_contain_text("capable")
        request.get_by_role("button", name="Approve").click()
        expect(request.get_by_label("Reason")).to_be_focused()  # an answer without a reason is none
        request.get_by_label("Reason").fill("seen the answers")
        request.get_by_role("button", name="Approve").click()
        expect(request).to_have_count(0)
        audit = page.locator("section", has=page.get_by_role("heading", name="Audit log"))
        expect(audit.locator("tbody tr", has_text="approved").first).to_contain_text("wanting / answers")
        expect(audit.locator("tbody tr", has_text="approved").first).to_contain_text("local")
        page = seen.go("routing")
        expect(page.locator("tbody tr", has_text="wanting / answers").first).to_contain_text(re.compile("capable"))
        seen.check()


def test_agents_are_given_models_from_the_page(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        page = seen.go("models")
        page.get_by_label("Strategy").select_option("adaptive")
        page.get_by_role("button", name="Assign models").click()
        expect(page.locator("#told")).to_contain_text("1 agents have a model now")
        assigned = page.locator("section", has=page.get_by_role("heading", name="Assignments"))
        expect(assigned.get_by_role("rowheader", name=EVIL)).to_be_visible()
        held = servers.get(f"{running.url}/api/v1/model-router/assignments")["assignments"]
        assert [one["agent_id"] for one in held] == [EVIL]
        seen.check()
