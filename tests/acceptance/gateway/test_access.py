"""Who may do what: every path and method for every role, with keys and without."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.calls import CHAT, MODEL_ROUTER, check_error
from support.in_process import client, gateway_settings, gateway_state
from support.keyed import KEY_SETTINGS, KEYS, WRONG, bearer, keyed_state
from tiercel.apps.gateway.endpoints import RESOURCES
from tiercel.apps.gateway.roles import CHAT_PATH, ROLES
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.access import Role
from tiercel.domain.errors import ConfigurationError

METHODS = [(path, method) for path, methods in ROLES.items() for method in methods]
REFUSED = (401, 403)


@pytest.fixture(scope="module")
def state() -> GatewayState:
    return keyed_state()


@pytest.fixture(scope="module")
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def test_every_path_and_method_has_a_role() -> None:
    given = {path: set(methods) for path, methods in ROLES.items()}
    assert given == {CHAT_PATH: {"POST"}, **{path: set(methods) for path, methods in RESOURCES.items()}}


def test_what_changes_something_is_not_for_viewers_and_what_reads_is() -> None:
    for path, methods in ROLES.items():
        for method, role in methods.items():
            if path == "/session":
                continue
            assert (role in (None, Role.VIEWER)) is (method == "GET"), (path, method)
    assert {path for path, method in METHODS if ROLES[path][method] is None} == {
        "/",
        "/page/{name:path}",
        "/session",
        "/health",
        "/ready",
    }


@pytest.mark.parametrize("role", ["", *Role])
@pytest.mark.parametrize(("path", "method"), METHODS)
def test_each_role_may_what_the_table_says_and_no_more(http: TestClient, path: str, method: str, role: str) -> None:
    needed = ROLES[path][method]
    # HEAD is as GET, and the stream of events then ends at once
    answer = http.request("HEAD" if method == "GET" else method, path, headers=bearer(role))
    if needed is None or (role and Role(role).may(needed)):
        # the endpoint's own business: an empty body is wrong for most
        assert answer.status_code not in REFUSED or path == "/session"
    else:
        assert answer.status_code == (403 if role else 401)
        if method != "GET":
            assert check_error(answer, answer.status_code)["code"] == ("forbidden" if role else "invalid_api_key")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("authorization", f"Bearer {KEYS['caller']}"),
        ("authorization", f"bearer   {KEYS['caller']} "),
        ("x-api-key", KEYS["caller"]),
    ],
)
def test_a_key_is_taken_as_clients_send_it(http: TestClient, header: str, value: str) -> None:
    answer = http.post("/v1/decisions", json={}, headers={header: value})
    assert answer.status_code == 200
    chat = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    assert http.post(CHAT, json=chat, headers={header: value}).status_code == 200


NO_KEY: list[dict[str, str]] = [
    {},
    {"authorization": f"Bearer {WRONG}"},
    {"authorization": KEYS["admin"]},
    {"authorization": "Bearer"},
    {"authorization": f"Basic {KEYS['admin']}"},
    {"authorization": f"Bearer {KEYS['admin']}x"},
    {"authorization": f"Bearer {WRONG}", "x-api-key": KEYS["admin"]},
    {"x-api-key": ""},
    {"x-api-key": "\x00\xff" * 99},
    {"cookie": "tiercel_session=1.2.3.4"},
    {"cookie": f"tiercel_session={KEYS['admin']}; ;;=;"},
]


@pytest.mark.parametrize(("path", "method"), [(CHAT, "POST"), ("/v1/stats", "GET"), ("/nothing", "GET"), ("/", "PUT")])
def test_no_key_a_wrong_one_and_none_at_all_are_answered_the_same(http: TestClient, path: str, method: str) -> None:
    answers = [
        http.request(method, path, headers={k.encode(): v.encode("latin-1") for k, v in headers.items()})
        for headers in NO_KEY
    ]
    for answer in answers:
        assert check_error(answer, 401)["code"] == "invalid_api_key"
        assert answer.content == answers[0].content
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.headers) == set(answers[0].headers)


def test_what_is_not_there_is_said_to_those_with_a_key_only(http: TestClient) -> None:
    assert check_error(http.get("/nothing", headers=bearer("viewer")), 404)["code"] == "not_found"
    refused = check_error(http.request("PATCH", "/v1/stats", headers=bearer("viewer")), 405)
    assert refused["code"] == "method_not_allowed"


def test_the_gateway_lives_for_everyone_and_what_is_missing_is_for_those_who_may_read(http: TestClient) -> None:
    assert http.get("/health").json()["status"] == "ok"
    assert http.get("/ready").json() == {"status": "ready"}
    assert http.get("/ready", headers={"x-api-key": WRONG}).json() == {"status": "ready"}
    assert set(http.get("/ready", headers=bearer("viewer")).json()) == {"status", "checks"}


def test_endpoints_know_who_calls(state: GatewayState) -> None:
    scope: dict[str, Any] = {"method": "GET", "headers": [(b"x-api-key", KEYS["caller"].encode())]}
    state.access.admit(scope, Role.VIEWER)
    assert (scope["tiercel.caller"], scope["tiercel.role"]) == ("caller", Role.CALLER)
    scope = {"method": "POST", "headers": []}
    open_state = gateway_state()
    open_state.access.admit(scope, Role.ADMIN)
    assert (scope["tiercel.caller"], scope["tiercel.role"]) == ("local", Role.ADMIN)


def test_keys_that_cannot_be_had_open_nothing(
    http: TestClient, state: GatewayState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = http.get("/v1/stats").content

    def away(presented: bytes, **more: object) -> None:
        raise OSError(5, "the source of keys is away")

    assert state.access.keyring is not None
    for name in ("holder", "begin", "session"):
        monkeypatch.setattr(state.access.keyring, name, away)
    answer = http.get("/v1/stats", headers=bearer("admin"))
    assert (answer.status_code, answer.content) == (401, expected)
    assert http.post("/session", json={"key": KEYS["admin"]}).content == expected
    assert http.get("/health").status_code == 200
    assert "the source of keys is away" in caplog.text
    assert "CANARY" not in caplog.text


def test_a_gateway_that_was_not_given_its_keys_does_not_begin() -> None:
    with pytest.raises(ConfigurationError) as caught:
        gateway_state(settings=gateway_settings(keys=KEY_SETTINGS), keys={"viewer": KEYS["viewer"], "caller": ""})
    assert [problem.path for problem in caught.value.problems] == ["keys[1].key_env", "keys[2].key_env"]


LEAKS = [
    ("GET", f"/v1/models/{WRONG}", None),
    ("GET", f"/{WRONG}", None),
    ("POST", "/v1/decisions", "{"),
    ("POST", "/v1/decisions", "[]"),
    ("POST", CHAT, "{}"),
    ("POST", CHAT, '{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}'),
    ("POST", "/v1/feedback", '{"decision_id": "none", "quality": 7}'),
    ("PUT", f"{MODEL_ROUTER}/assignments/none", "{}"),
    ("POST", "/session", '{"key": ["CANARY-CANARY-CANARY"]}'),
    ("POST", "/session", '{"CANARY-CANARY-CANARY": 1}'),
    ("POST", "/session", '{"key": "CANARY-CANARY-CANARY", "CANARY": 1}'),
    ("POST", "/session", '"CANARY-CANARY-CANARY"'),
    ("POST", "/session", '{"key": "CANARY-CANARY-CANARY"}'),
    ("POST", "/session", '{"key": "CANARY'),
    *((method, path, None) for path, method in METHODS if method == "GET" and path != "/v1/events"),
]


def test_no_key_is_in_any_answer_log_or_figure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="tiercel")
    state = keyed_state()
    found: list[str] = []
    with client(state) as http:
        for method, path, body in LEAKS:
            for key in (*KEYS.values(), WRONG):
                given = {"authorization": f"Bearer {key}", "content-type": "application/json"}
                answer = http.request(method, path.replace(WRONG, "unknown"), content=body, headers=given)
                told = f"{answer.headers}{answer.text}"
                if "CANARY" in told.replace("CANARY-key-of-nobody", "") or key in told:
                    found.append(f"{method} {path}: {told}")
        metrics = http.get("/metrics", headers=bearer("viewer")).text
    assert found == []
    assert "tiercel_" in metrics
    kept = "".join(
        repr(part) for part in (state, vars(state), vars(state.access), state.settings, state.access.keyring)
    )
    assert "CANARY" not in metrics + kept + caplog.text
