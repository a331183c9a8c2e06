"""A gateway with keys: the page asks for one, shows the role, and shows a viewer nothing to decide with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from support import servers
from support.browser import dashboard

KEYS = {"OPS_KEY": "ops-key-of-the-tests", "LOOK_KEY": "looking-key-of-the-tests"}
SETTINGS = """
[[agents]]
id = "coder"
required = ["general"]

[[keys]]
name = "ops"
key_env = "OPS_KEY"
role = "admin"

[[keys]]
name = "looker"
key_env = "LOOK_KEY"
role = "viewer"
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keys")
    with servers.gateway(folder, [("ok", "cheap")], SETTINGS, environment=KEYS) as gateway:
        yield gateway.url


def sign_in(page: Page, url: str, key: str, path: str = "models") -> None:
    page.goto(f"{url}/#/{path}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_an_admin_signs_in_acts_and_signs_out(browser: Browser, url: str) -> None:
    with dashboard(browser, url, expected="401") as seen:
        page = seen.page
        sign_in(page, url, "not a key of anyone")
        expect(page.get_by_role("alert")).to_contain_text("a valid key is needed")
        assert seen.serious_findings() == []
        sign_in(page, url, KEYS["OPS_KEY"])
        expect(page.locator("#role")).to_contain_text("admin")
        page.get_by_role("button", name="Assign models").click()
        expect(page.locator("#told")).to_contain_text("1 agents have a model now")
        cookies = page.context.cookies()
        assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Strict")]
        assert KEYS["OPS_KEY"] not in page.content() + str(page.context.storage_state())
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_focused()
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()
        seen.check()


def test_a_viewer_sees_everything_and_no_button_that_decides(browser: Browser, url: str) -> None:
    with dashboard(browser, url, expected="401") as seen:
        page = seen.page
        sign_in(page, url, KEYS["LOOK_KEY"])
        expect(page.locator("#role")).to_contain_text("viewer")
        expect(page.get_by_role("rowheader", name="coder").first).to_be_visible()
        for path in ("models", "alerts", "approvals"):
            seen.go(path)
            assert page.locator("main button").count() == 0, path
        seen.check()


def test_a_session_without_its_token_changes_nothing(browser: Browser, url: str) -> None:
    with dashboard(browser, url, expected="40") as seen:
        sign_in(seen.page, url, KEYS["OPS_KEY"])
        expect(seen.page.locator("#role")).to_contain_text("admin")
        status = seen.page.evaluate("""async () => {
            const body = JSON.stringify({ strategy: "adaptive" });
            const headers = { "content-type": "application/json" };
            return (await fetch("/api/v1/model-router/auto-assign-all", { method: "POST", headers, body })).status;
        }""")
        assert status == 403
