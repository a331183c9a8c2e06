"""Two gateways over one real Redis, and a channel's other end: one message for an incident and one for its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.redis_server import redis_server

from support.servers import Gateway, get, post, running, upstream

MODELS = [("small", "cheap"), ("large", "premium")]
SETTINGS = """
[alerts]
resolve_after_s = 1.0
cooldown_s = 2.0

[[rules]]
name = "failing"
metric = "success_rate"
model = "small"
critical = 0.5

[[notify]]
name = "hook"
rules = ["failing"]
webhook_env = "HOOK"
secret_env = "HOOK_KEY"
"""


@contextmanager
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's address, and what it was told."""
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as running_hook:
        thread = threading.Thread(target=running_hook.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running_hook.server_address[1]}/", told
        running_hook.shutdown()
        thread.join()


def calls(gateway: Gateway, number: int, *, success: bool) -> None:
    """So many calls that somebody else made, reported."""
    for _ in range(number):
        decided = post(f"{gateway.url}/v1/decisions", {"workflow": "w", "stage": "s"})[1]
        outcome = {"decision_id": decided["id"], "model": "small", "success": success, "latency_ms": 50.0}
        assert post(f"{gateway.url}/v1/outcomes", outcome)[0] in (200, 202)


def until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    """Look again and again: other processes are at work."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_message_for_an_incident_and_one_for_its_end(tmp_path: Path) -> None:
    with ExitStack() as stack:
        upstream_url = stack.enter_context(upstream())
        server = stack.enter_context(redis_server(tmp_path))
        url, told = stack.enter_context(hook())
        environment = {"HOOK": url, "HOOK_KEY": "k" * 32, "TIERCEL_STORE": server.url}
        gateways = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            gateways.append(stack.enter_context(running(folder, upstream_url, MODELS, SETTINGS, environment)))
        first, second = gateways
        calls(first, 12, success=False)
        until(lambda: len(told) == 1)
        # both look at once, again and again, while it fires anew after each cooldown
        for _ in range(6):
            calls(second, 1, success=False)
            for gateway in gateways:
                (alert,) = [one for one in get(f"{gateway.url}/v1/alerts?status=active")["data"] if one["rule"]]
            time.sleep(1.0)
        assert [one["type"] for one in told] == ["alert.fired"]
        acknowledged = post(f"{first.url}/v1/alerts/{alert['alert_id']}/acknowledge", {"by": "ada", "note": "on it"})
        assert acknowledged[1]["acknowledged_by"] == "ada"
        again = post(f"{second.url}/v1/alerts/{alert['alert_id']}/acknowledge", {"by": "bob"})
        assert again[1]["acknowledged_by"] == "ada"
        calls(first, 40, success=True)
        until(lambda: bool(get(f"{first.url}/v1/alerts") and get(f"{second.url}/v1/alerts")) and len(told) == 2)
        time.sleep(3.0)
        assert [one["type"] for one in told] == ["alert.fired", "alert.resolved"]
        incidents = [one["data"]["incidents"][0]["alert"] for one in told]
        assert incidents[0]["alert_id"] == incidents[1]["alert_id"]
        channels = [get(f"{gateway.url}/v1/alerts")["channels"][0] for gateway in gateways]
        assert sum(channel["sent"] for channel in channels) == 2
        assert {channel["error"] for channel in channels} == {""}
