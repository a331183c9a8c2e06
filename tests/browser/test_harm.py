"""Names that mean harm, pages of others, and the policy the page runs under."""

from __future__ import annotations

from playwright.sync_api import Browser, Route, expect

from support import servers
from support.browser import PAGES, dashboard
from support.load import EVIL, Running
from support.waiting import until

ATTACKER = "http://attacker.test/"


def test_a_name_that_means_harm_is_shown_and_never_run(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url) as seen:
        for path in PAGES:
            page = seen.go(path)
            assert page.locator("img:not(.brand img)").count() == 0, path
        page = seen.go("models")
        expect(page.locator("section", has_text="Agents").get_by_text(EVIL).first).to_be_visible()
        page = seen.go("routing")
        expect(page.get_by_text(f"{EVIL} / {EVIL}").first).to_be_visible()
        page = seen.go(f"decisions/{running.evil_decision}")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"{EVIL} / {EVIL}")
        expect(page.locator("section", has_text="Feedback").get_by_text(EVIL, exact=True).first).to_be_visible()
        assert page.locator("img:not(.brand img)").count() == 0
        seen.check()


def test_the_page_could_not_run_a_script_of_others(browser: Browser, running: Running) -> None:
    with dashboard(browser, running.url, expected="Content Security Policy") as seen:
        page = seen.go()
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.setAttribute("nonce", "x");
            try { script.text = "window.harmed = 1"; } catch { /* trusted types */ }
            document.body.append(script);
            const button = document.createElement("button");
            try { button.setAttribute("onclick", "window.harmed = 1"); } catch { /* likewise */ }
            document.body.append(button);
            button.click();
            const image = "<img src=x onerror='window.harmed = 1'>";
            try { document.body.insertAdjacentHTML("beforeend", image); } catch { /* likewise */ }
            const far = document.createElement("img");
            far.src = "http://attacker.test/pixel";
            document.body.append(far);
        }""")
        until(lambda: page.evaluate("window.violations.some((text) => text.startsWith('img-src'))"))
        assert page.evaluate("window.harmed === undefined")


def test_a_page_of_others_can_neither_frame_nor_change_anything(browser: Browser, running: Running) -> None:
    # reading comes last and is refused: when that is known, what came before was answered
    body = f"""<iframe src="{running.url}/"></iframe><script>
      const how = {{ method: "POST", mode: "no-cors", credentials: "include",
        headers: {{ "content-type": "text/plain" }}, body: JSON.stringify({{ strategy: "adaptive" }}) }};
      fetch("{running.url}/api/v1/model-router/auto-assign-all", how).catch(() => null)
        .then(() => fetch("{running.url}/v1/stats")).then(() => {{ document.title = "read"; }})
        .catch(() => {{ document.title = "refused"; }});
    </script>"""

    def answer(route: Route) -> None:
        route.fulfill(body=body, content_type="text/html")

    before = servers.get(f"{running.url}/api/v1/model-router/assignments")["assignments"]
    with dashboard(browser, running.url, expected="") as seen:
        seen.page.route(f"{ATTACKER}**", answer)
        seen.page.goto(ATTACKER)
        expect(seen.page).to_have_title("refused")
        assert all(frame.locator("#main").count() == 0 for frame in seen.page.frames)
    assert servers.get(f"{running.url}/api/v1/model-router/assignments")["assignments"] == before
