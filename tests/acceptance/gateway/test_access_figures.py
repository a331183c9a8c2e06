"""Attacks on who may do what, by number: none gets through."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from support.calls import MODEL_ROUTER
from support.in_process import client, gateway_settings
from support.keyed import KEYS, bearer, keyed_state
from support.reported import Reported
from tiercel.apps.gateway import server
from tiercel.apps.gateway.access import COOKIES
from tiercel.apps.gateway.roles import ROLES
from tiercel.config.settings import ServerSettings
from tiercel.domain.errors import ConfigurationError

PATHS = ["/v1/stats", "/metrics", "/v1/decisions", "/v1/events", "/session", f"{MODEL_ROUTER}/assignments", "/nothing"]


def damaged(draw: random.Random, text: str) -> str:
    """A text with one character changed, left out or put in, or cut short."""
    at = draw.randrange(len(text))
    put = draw.choice(["", chr(draw.randrange(0x21, 0x7F)), text[at] + "x"])
    changed = text[:at] + put + (text[at + 1 :] if draw.random() < 0.9 else "")
    return changed if changed != text else text[:-1]


def credentials(draw: random.Random, cookie: str) -> dict[str, str]:
    """Headers that show no key: damaged ones, other schemes, tampered cookies."""
    key = damaged(draw, draw.choice(list(KEYS.values())))
    return draw.choice(
        [
            {},
            {"authorization": f"Bearer {key}"},
            {"authorization": f"Basic {draw.choice(list(KEYS.values()))}"},
            {"authorization": f"Bearer{draw.choice(list(KEYS.values()))}"},
            {"x-api-key": key},
            {"cookie": f"{draw.choice(COOKIES)}={damaged(draw, cookie).replace(';', ':')}"},
        ]
    )


@pytest.fixture
def http() -> Iterator[TestClient]:
    with client(keyed_state()) as opened:
        yield opened


def test_nothing_but_a_key_opens_the_gateway(http: TestClient, reported: Reported) -> None:
    seed, tries = 5, reported.size(300, 20_000)
    draw = random.Random(seed)
    cookie = http.post("/session", json={"key": KEYS["admin"]}).cookies[COOKIES[1]]
    http.cookies.clear()
    body = http.get("/v1/stats").content
    bad = 0
    for _ in range(tries):
        answer = http.get(draw.choice(PATHS), headers=credentials(draw, cookie))
        bad += (answer.status_code, answer.content) != (401, body)
    reported.none("no-key", "answers other than the one 401", of=tries, bad=bad, seeds=seed)


def test_no_address_but_loopback_is_bound_without_keys(reported: Reported) -> None:
    hosts = ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "2001:db8::1", "example.com", "localhost.example", ""]  # noqa: S104
    bad = 0
    for host in hosts:
        try:
            server.check(gateway_settings(server=ServerSettings(host=host, port=1)))
        except ConfigurationError as error:
            bad += error.problems[0].path != "server.host"
        else:
            bad += 1
    reported.none("open-bind", "binds that were not refused with their reason", of=len(hosts), bad=bad)


def test_no_page_of_another_site_gets_anything(http: TestClient, reported: Reported) -> None:
    csrf = http.post("/session", json={"key": KEYS["admin"]}).json()["csrf"]
    other = csrf[::-1]
    forged = [
        {},
        {"x-tiercel-csrf": other},
        {"x-tiercel-csrf": csrf, "origin": "https://evil.example"},
        {"x-tiercel-csrf": csrf, "origin": "null"},
        {"x-tiercel-csrf": csrf, "sec-fetch-site": "cross-site"},
        {"x-tiercel-csrf": csrf, "sec-fetch-site": "same-site"},
    ]
    changes = [(path, method) for path, methods in ROLES.items() for method in methods if method != "GET"]
    changes.remove(("/session", "POST"))
    bad = sum(
        http.request(method, path, headers=headers).status_code != 403 for path, method in changes for headers in forged
    )
    reported.none("dashboard", "changes of a session made by forged requests", of=len(changes) * len(forged), bad=bad)
    readable = [path for path, methods in ROLES.items() if "GET" in methods]
    open_to_all = [path for path in readable if ROLES[path]["GET"] is None]
    http.cookies.clear()
    answers = [http.request("HEAD", path) for path in readable]
    bad = sum(answer.status_code == 200 for answer in answers) - len([p for p in open_to_all if "{" not in p])
    reported.none("dashboard", "figures shown without a session", of=len(readable), bad=bad)
    framed = [answer for answer in answers if answer.headers["x-frame-options"] != "DENY"]
    reported.none("dashboard", "answers that can be framed", of=len(answers), bad=len(framed))
    with client() as local:
        names = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example:8080", "10.0.0.1:8080"]
        asked = [(path, name) for path in readable for name in names]
        bad = sum(local.request("HEAD", path, headers={"host": name}).status_code != 421 for path, name in asked)
    reported.none("dashboard", "answers under unknown names", of=len(asked), bad=bad)


def test_no_key_is_told(http: TestClient, reported: Reported, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="tiercel")
    said: list[str] = []
    for path, methods in ROLES.items():
        for method in methods:
            if path == "/v1/events":
                continue
            for role in KEYS:
                answer = http.request(method, path, headers={**bearer(role), "content-type": "application/json"})
                said.append(f"{answer.headers}{answer.text}")
    said.append(caplog.text)
    reported.none(
        "canary-keys", "answers and logs with a key", of=len(said), bad=sum("CANARY" in text for text in said)
    )
