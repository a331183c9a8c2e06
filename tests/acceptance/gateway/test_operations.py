"""What runs here, is it well, and its page."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import openai
import pytest
from starlette.testclient import TestClient

from support.calls import check_error
from support.in_process import AwayStore, client, gateway_settings, gateway_state, model
from tiercel.apps.dashboard import pages
from tiercel.apps.gateway import operations
from tiercel.apps.gateway.endpoints import RESOURCES
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import RouteSettings
from tiercel.domain.decision import Decision


@pytest.fixture
def state() -> GatewayState:
    models = [model("small", "cheap"), model("vendor/large", "premium", provider="nobody")]
    routes = (RouteSettings(match="a/*", name="careful"),)
    return gateway_state(settings=gateway_settings(models, routes=routes), store=AwayStore())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def test_the_models_are_listed_as_openai_clients_expect(http: TestClient) -> None:
    listed = http.get("/v1/models?unknown=1").json()
    models = [openai.types.Model.model_validate(entry) for entry in listed["data"]]
    assert listed["object"] == "list"
    assert [m.id for m in models][:2] == ["auto", "auto:careful"]
    assert [(m.id, m.owned_by) for m in models][-2:] == [("small", "scripted"), ("vendor/large", "nobody")]
    for name in ("auto", "auto:careful", "small", "vendor/large"):
        assert http.get(f"/v1/models/{name}").json()["id"] == name
    for name in ("medium", "auto:nothing", "autox", "careful", ""):
        assert check_error(http.get(f"/v1/models/{name}"), 404)["code"] == "model_not_found"


def test_alive_and_ready(http: TestClient) -> None:
    waits = {"buffered": 0, "kept": 0, "dropped": 0}
    assert http.get("/health").json() == {"status": "ok", "degraded": False, "store": waits}
    ready = http.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["checks"]["providers"] == {"ok": True, "problem": None, "configured": 1, "models": 1}


def test_not_ready_says_why_and_no_more(http: TestClient, state: GatewayState) -> None:
    store = state.router.store
    assert isinstance(store, AwayStore)
    store.away = True
    ready = http.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert ready.json()["checks"]["store"] == {"ok": False, "problem": "cannot be read (StoreUnavailable)"}
    assert "says the test" not in ready.text
    assert http.get("/health").status_code == 200
    store.away = False


def test_a_store_that_hangs_is_asked_once_and_not_waited_for(
    http: TestClient, state: GatewayState, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, asked = threading.Event(), []

    def hang(limit: int) -> list[Decision]:
        asked.append(limit)
        released.wait(20)
        return []

    monkeypatch.setattr(operations, "PROBE_S", 0.01)
    monkeypatch.setattr(state.router.store, "recent_decisions", hang)
    for _ in range(20):
        checks = http.get("/ready").json()["checks"]
        assert checks["store"] == {"ok": False, "problem": "does not answer within 0.01 s"}
    assert len(asked) == 1
    released.set()


def test_a_gateway_that_can_call_nobody_is_not_ready() -> None:
    with client(gateway_state(settings=gateway_settings(providers=()))) as http:
        assert http.get("/ready").json()["checks"]["providers"]["ok"] is False
        assert http.post("/v1/decisions", json={}).status_code == 200


def test_nothing_needs_approval_and_it_is_said(http: TestClient) -> None:
    assert http.get("/v1/approvals").json() == {
        "object": "list",
        "data": [],
        "pending": 0,
        "note": "no route's changes need approval: set changes in [[routes]] (docs/approvals.md)",
    }


PLAIN = [path for path, methods in RESOURCES.items() if "GET" in methods and "{" not in path and path != "/v1/events"]


@pytest.mark.parametrize("path", [*PLAIN, "/v1/models/auto", "/page/js/app.js"])
def test_head_is_get_without_the_body(http: TestClient, path: str) -> None:
    got, head = http.get(path), http.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert http.head("/v1/events").status_code == 200
    assert http.head("/nothing").content == b""


@pytest.mark.parametrize("path", [*RESOURCES, "/nothing"])
def test_every_answer_carries_the_requests_id(http: TestClient, path: str) -> None:
    answer = http.request("HEAD", path, headers={"x-request-id": "mine"})
    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert http.request("HEAD", path).headers["x-request-id"].startswith("req_")


def test_a_fault_of_ours_is_500_with_the_id_only_and_the_process_goes_on(
    http: TestClient, state: GatewayState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise RuntimeError("a secret")

    with monkeypatch.context() as patched:
        patched.setattr(state.performance, "metrics", fault)
        answer = http.get("/api/v1/model-router/metrics", headers={"x-request-id": "r-5"})
    assert check_error(answer, 500)["code"] == "internal_error"
    assert "secret" not in answer.text
    assert "r-5" in answer.text
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert http.get("/api/v1/model-router/metrics").status_code == 200


SAMPLE = re.compile(r'^([a-z_:]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')


def test_the_metrics_are_prometheus_text_of_bounded_size(http: TestClient) -> None:
    for i in range(5):
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}], "metadata": {"workflow": f"w{i}"}}
        http.post("/v1/chat/completions", json=body)
    http.get("/v1/stats")
    answer = http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values: dict[tuple[str, str], float] = {}
    families: list[str] = []
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("# HELP "):
            found = SAMPLE.match(line)
            assert found, line
            assert found[1].startswith(families[-1])
            values[found[1], found[2] or ""] = float(found[3])
    assert len(families) == len(set(families))
    small = 'model="small",tier="cheap"'
    assert values["tiercel_calls_total", small] == 5
    assert values["tiercel_call_latency_seconds_count", small] == 5
    assert values["tiercel_call_latency_seconds", f'{small},quantile="0.95"'] > 0
    assert values["tiercel_cost_usd_total", small] == pytest.approx(5 * 14 / 1e6)
    assert values["tiercel_success_ratio", small] == 1.0
    assert values["tiercel_store_up", ""] == 1
    assert "tiercel_quality_mean" not in {name for name, _ in values}, "nothing was rated"
    labels = {part.partition("=")[0] for _, listed in values for part in listed.split(",") if part}
    assert labels == {"model", "tier", "quantile", "version", "status"}


def test_the_names_of_models_are_escaped_in_metrics() -> None:
    odd = 'a"b\\c'
    with client(gateway_state(settings=gateway_settings([model(odd, "cheap")]))) as http:
        assert 'model="a\\"b\\\\c",tier="cheap"' in http.get("/metrics").text


class Page(HTMLParser):
    """What a page refers to, and what stands in it as code."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


def test_the_page_refers_to_nothing_outside_and_has_no_inline_code(http: TestClient) -> None:
    answer = http.get("/")
    policy: Any = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    page = Page()
    page.feed(answer.text)
    assert page.inline == []
    for reference in page.references:
        if reference.startswith("#"):
            continue
        assert reference.startswith("/")
        assert not reference.startswith("//")
        assert http.get(reference).status_code == 200, reference
    for name in pages.names():
        if name.endswith(".js") and not name.startswith("vendor/"):
            script = http.get(f"/page/{name}").text
            assert "innerHTML" not in script
            assert "http://" not in script.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in script
    assert http.get("/page/state.py").status_code == 404
    assert http.get("/page/..%2fstate.py").status_code == 404
