"""Two gateways over one store: an agent that one of them hears is online, and assigned, at the other."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from support.servers import Gateway, get, post, running, upstream

MODELS = [("ok", "cheap")]
AGENTS = """
[[agents]]
id = "gpu_1"
status = "offline"
[[agents]]
id = "gpu_2"
status = "offline"
"""
DEADLINE_S = 20.0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "not within 20 s"


def status(served: Gateway, agent_id: str) -> str:
    return str(get(f"{served.url}/v1/agents/{agent_id}")["status"])


def assigned(served: Gateway) -> list[str]:
    _, answer = post(f"{served.url}/api/v1/model-router/auto-assign-all", {"strategy": "greedy"})
    return [assignment["agent_id"] for assignment in answer["assignments"]]


def test_what_one_gateway_hears_the_other_knows(tmp_path: Path) -> None:
    with (
        upstream() as url,
        running(tmp_path, url, MODELS, AGENTS) as here,
        running(tmp_path, url, MODELS, AGENTS) as there,
    ):
        assert assigned(there) == []
        address = urlsplit(there.url)
        with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S) as listening:
            listening.sendall(b"GET /v1/events?kinds=agent,signal HTTP/1.1\r\nhost: localhost\r\n\r\n")
            beat = {"status": "running", "progress": 0.5}
            assert post(f"{here.url}/v1/agents/gpu_1/heartbeat", beat)[0] == 202
            told = b""
            while b'"current":"online"' not in told:
                told += listening.recv(65536)
            assert post(f"{here.url}/v1/agents/gpu_2/signals", {"name": "hello", "to_agent": "gpu_1"})[0] == 202
            while b'"name":"hello"' not in told:
                told += listening.recv(65536)
        until(lambda: status(there, "gpu_1") == "online")
        assert get(f"{there.url}/v1/agents/gpu_1")["heartbeat"]["progress"] == 0.5
        assert assigned(there) == ["gpu_1"]
        signals = get(f"{there.url}/v1/agents/gpu_1/signals")["data"]
        assert [(signal["from_agent"], signal["name"]) for signal in signals] == [("gpu_2", "hello")]
        assert post(f"{there.url}/v1/agents/gpu_1", {"status": "maintenance"})[1]["durable"] is True
        until(lambda: status(here, "gpu_1") == "maintenance")
        assert assigned(here) == []
