"""Browsers: sessions, foreign pages, unknown names, framing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from support.calls import CHAT, MODEL_ROUTER, check_error
from support.in_process import client, gateway_settings, gateway_state
from support.keyed import KEYS, bearer, keyed_state
from tiercel.apps.gateway.access import COOKIES
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.login_limit import FAILURES
from tiercel.apps.gateway.roles import ROLES
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import ServerSettings
from tiercel.domain.access import Role
from tiercel.testing import ManualClock

HERE = "http://127.0.0.1:8080"
SECURE, PLAIN = COOKIES


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(clock: ManualClock) -> GatewayState:
    return keyed_state(clock)


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def sign_in(http: TestClient, role: str = "admin", **headers: str) -> dict[str, Any]:
    """Begin a session, which the client keeps as a browser does; what GET /session will say."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = http.post("/session", json={"key": KEYS[role]}, headers=given)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_a_session_is_begun_with_a_key_and_ended(http: TestClient, clock: ManualClock) -> None:
    check_error(http.get("/session"), 401)
    said = sign_in(http, "caller")
    assert (said["name"], said["role"], said["keys_configured"]) == ("caller", "caller", True)
    assert http.get("/session").json() == said
    assert http.get("/v1/stats").status_code == 200
    change = {"x-tiercel-csrf": said["csrf"], "origin": HERE, "sec-fetch-site": "same-origin"}
    assert http.post("/v1/decisions", json={}, headers=change).status_code == 200
    assert check_error(http.post(f"{MODEL_ROUTER}/auto-assign", json={}, headers=change), 403)["code"] == "forbidden"
    assert http.delete("/session", headers=change).status_code == 204
    assert not http.cookies
    check_error(http.get("/session"), 401)


def test_a_session_ends_after_its_hours(http: TestClient, clock: ManualClock) -> None:
    said = sign_in(http)
    clock.advance(12 * 3600 - 1)
    assert http.get("/v1/stats").status_code == 200
    assert http.get("/session").json()["expires_at"] == said["expires_at"]
    clock.advance(2)
    check_error(http.get("/v1/stats"), 401)


def test_another_gateway_of_the_same_configuration_knows_the_session(http: TestClient, clock: ManualClock) -> None:
    said = sign_in(http)
    with client(keyed_state(clock)) as other:
        other.cookies = http.cookies
        assert other.get("/session").json() == said


def test_a_key_in_a_header_goes_before_a_session_and_needs_no_token(http: TestClient) -> None:
    sign_in(http, "admin")
    said = http.get("/session", headers=bearer("viewer")).json()
    assert said == {"name": "viewer", "role": "viewer", "csrf": None, "keys_configured": True, "expires_at": None}
    foreign = {**bearer("caller"), "origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert http.post("/v1/decisions", json={}, headers=foreign).status_code == 200
    check_error(http.get("/v1/stats", headers={"authorization": "Bearer wrong"}), 401)


@pytest.mark.parametrize(
    ("headers", "name", "secure"),
    [
        ({}, PLAIN, False),
        ({"origin": HERE}, PLAIN, False),
        ({"x-forwarded-proto": "http"}, PLAIN, False),
        ({"x-forwarded-proto": "https"}, SECURE, True),
        ({"x-forwarded-proto": "HTTPS, http"}, SECURE, True),
        ({"origin": "https://127.0.0.1:8080"}, SECURE, True),
    ],
)
def test_what_the_cookie_is(*, http: TestClient, headers: dict[str, str], name: str, secure: bool) -> None:
    cookie = http.post("/session", json={"key": KEYS["viewer"]}, headers=headers).headers["set-cookie"]
    assert cookie.startswith(f"{name}=")
    assert cookie.partition("; ")[2] == f"Path=/; HttpOnly; SameSite=Strict; Max-Age=43200{'; Secure' * secure}"
    token = cookie.partition("=")[2].partition(";")[0]
    assert http.get("/v1/stats", headers={"cookie": f"a=b; {name}={token};c=d"}).status_code == 200
    assert http.get("/v1/stats", headers={"cookie": f"{SECURE}=old; {PLAIN}={token}"}).status_code == 200


CHANGES = [(path, method) for path, methods in ROLES.items() for method in methods if method != "GET"]


@pytest.mark.parametrize(("path", "method"), [change for change in CHANGES if change != ("/session", "POST")])
def test_a_sessions_change_needs_its_token_and_its_own_page(http: TestClient, path: str, method: str) -> None:
    csrf = sign_in(http)["csrf"]
    other = csrf[:-1] + ("0" if csrf[-1] != "0" else "1")
    for wrong in ({}, {"x-tiercel-csrf": ""}, {"x-tiercel-csrf": other}, {"x-tiercel-csrf": csrf * 2}):
        assert check_error(http.request(method, path, headers=wrong), 403)["code"] == "csrf"
    for foreign in FOREIGN:
        answer = http.request(method, path, headers={"x-tiercel-csrf": csrf, **foreign})
        assert check_error(answer, 403)["code"] == "foreign_origin"
    assert http.request(method, path, headers={"x-tiercel-csrf": csrf}).status_code not in (401, 403)


def test_the_token_of_another_session_is_refused(http: TestClient, clock: ManualClock) -> None:
    earlier = sign_in(http)["csrf"]
    clock.advance(1)
    sign_in(http)
    assert check_error(http.post("/v1/decisions", json={}, headers={"x-tiercel-csrf": earlier}), 403)["code"] == "csrf"


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://localhost:8080"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "127.0.0.1:8080"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": HERE},
    {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_page_changes_nothing_where_there_are_no_keys(foreign: dict[str, str]) -> None:
    with client() as http:
        for path, method in CHANGES:
            answer = http.request(method, path, headers=foreign)
            assert check_error(answer, 403)["code"] == "foreign_origin", path
        chat = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        assert http.post(CHAT, json=chat, headers={"origin": HERE}).status_code == 200
        assert http.post(CHAT, json=chat, headers={"sec-fetch-site": "none"}).status_code == 200


def test_a_foreign_page_signs_nobody_in(http: TestClient) -> None:
    for foreign in FOREIGN:
        answer = http.post("/session", json={"key": KEYS["admin"]}, headers=foreign)
        assert check_error(answer, 403)["code"] == "foreign_origin"
        assert "set-cookie" not in answer.headers


def test_a_page_under_a_public_name_is_our_own() -> None:
    server = ServerSettings(public_hosts=("tiercel.example.com", "other:8443"))
    with client(gateway_state(settings=gateway_settings(server=server))) as http:
        for origin in ("https://tiercel.example.com", "https://other:8443"):
            assert http.post("/v1/decisions", json={}, headers={"origin": origin}).status_code == 200
        check_error(http.post("/v1/decisions", json={}, headers={"origin": "https://tiercel.example.com:1"}), 403)


@pytest.mark.parametrize("path", ["/", "/health", "/session", "/v1/stats", "/v1/events", "/metrics", CHAT, "/nothing"])
def test_a_foreign_name_is_told_nothing(path: str) -> None:
    with client() as http:
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:8080"):
            answer = http.request("POST" if path == CHAT else "GET", path, headers={"host": host})
            assert check_error(answer, 421)["code"] == "unknown_host"


def test_without_keys_everyone_here_is_admin() -> None:
    with client() as http:
        said = {"name": "local", "role": "admin", "csrf": None, "keys_configured": False, "expires_at": None}
        assert http.get("/session").json() == said
        answer = http.post("/session", json={"key": "whatever"})
        assert (answer.status_code, answer.json()) == (200, said)
        assert "set-cookie" not in answer.headers
        assert http.get("/v1/stats", headers={"authorization": "Bearer unused"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{}", 422),
        ('{"key": 1}', 422),
        ('{"key": null}', 422),
        ("[]", 422),
        ("{", 400),
        ('{"key": "a", "role": "admin"}', 422),
        ('{"key": ""}', 401),
        ('{"key": "\\u20ac\\u0000"}', 401),
        (json.dumps({"key": "x" * 5000}), 413),
    ],
)
def test_a_body_that_is_no_key(http: TestClient, body: str, status: int) -> None:
    check_error(http.post("/session", content=body, headers={"content-type": "application/json"}), status)
    check_error(http.post("/session", content=body, headers={"content-type": "text/plain"}), 415)


def test_who_fails_too_often_has_to_wait(http: TestClient, clock: ManualClock) -> None:
    for _ in range(FAILURES):
        check_error(http.post("/session", json={"key": "wrong"}), 401)
    answer = http.post("/session", json={"key": KEYS["admin"]})
    assert check_error(answer, 429)["code"] == "rate_limited"
    assert answer.headers["retry-after"] == "60"
    assert http.get("/v1/stats", headers=bearer("admin")).status_code == 200, "who has a key is not kept out"
    clock.advance(60)
    sign_in(http)


def test_success_is_not_limited(http: TestClient) -> None:
    for _ in range(3 * FAILURES):
        sign_in(http)


@pytest.mark.parametrize("path", ["/", "/health", "/session", "/v1/stats", "/metrics", CHAT, "/nothing", "/v1/models"])
@pytest.mark.parametrize("role", ["", "admin"])
def test_no_answer_is_framed_sniffed_or_kept(http: TestClient, path: str, role: str) -> None:
    answer = http.get(path, headers=bearer(role))
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    if path != "/":
        assert answer.headers.get_list("cache-control") == ["no-store"]


def test_nothing_is_shared_with_other_origins(http: TestClient) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        asked = {**bearer("admin"), "origin": "https://evil.example", "access-control-request-method": "POST"}
        answer = http.request(method, "/v1/decisions", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.fixture(scope="module")
def lasting() -> GatewayState:
    return keyed_state()


@given(data=st.data())
def test_a_cookie_tampered_with_anywhere_opens_nothing(lasting: GatewayState, data: st.DataObject) -> None:
    token = lasting.access.begin(KEYS["admin"]) or ""
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters=";"))
    changed = token[:at] + put + token[at + data.draw(st.integers(0, 1)) :]
    cookie = f"{PLAIN}={changed}".encode("latin-1")
    scope: dict[str, Any] = {"method": "GET", "headers": [(b"cookie", cookie)]}
    if changed == token:
        return lasting.access.admit(scope, Role.VIEWER)
    with pytest.raises(HttpError) as refused:
        lasting.access.admit(scope, Role.VIEWER)
    assert refused.value.status == 401
    return None
