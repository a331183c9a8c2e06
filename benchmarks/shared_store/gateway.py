"""A gateway under steady load before, during and after a pause of its store (CLIENT PAUSE), as LiteLLM published."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.redis_server import RedisServer
from benchmarks.relay.__main__ import run_wrk
from benchmarks.relay.processes import ServerSpec, free_port, start, stop

RELAY = Path(__file__).resolve().parents[1] / "relay"
CONNECTIONS = 16
SPELL_S = 15
GATEWAY_CORE, LOAD_CORE = 0, 1
PUBLISHED = {
    "who": "LiteLLM, its own published run of a Redis pause",
    "requests": 21_555,
    "failed": 0,
    "requests_per_s": {"before": 320, "during": 243},
    "p99_ms": {"before": 240, "during": 690},
}


def spell(port: int) -> dict[str, float]:
    """What clients see for a while."""
    totals = run_wrk(port, "json", CONNECTIONS, SPELL_S, LOAD_CORE)
    return {
        "requests": totals["requests"],
        "failed": totals["socket_errors"] + totals["status_errors"],
        "requests_per_s": totals["requests"] / (totals["duration_us"] / 1e6),
        "p50_ms": totals["p50_us"] / 1e3,
        "p99_ms": totals["p99_us"] / 1e3,
    }


def paused(server: RedisServer) -> dict[str, dict[str, float]]:
    """Before, during and after a pause of the gateway's store."""
    python = ["{python}"]
    upstream = ServerSpec("upstream", [*python, str(RELAY / "upstream.py"), "--port", "{port}"])
    served = [*python, str(RELAY / "tiercel_gateway.py"), "--port", "{port}", "--upstream-url", "{upstream_url}"]
    upstream_port = free_port()
    words = {"python": sys.executable, "upstream_url": f"http://127.0.0.1:{upstream_port}"}
    with tempfile.TemporaryDirectory() as logs:
        started = [start(upstream, words, upstream_port, LOAD_CORE, Path(logs))]
        try:
            gateway = ServerSpec("tiercel", [*served, "--store", server.url])
            started.append(start(gateway, words, free_port(), GATEWAY_CORE, Path(logs)))
            port = started[1].port
            run_wrk(port, "json", CONNECTIONS, 3, LOAD_CORE)
            before = spell(port)
            server.client.client_pause(SPELL_S * 1_000 + 1_000)
            time.sleep(0.5)
            during = spell(port)
            time.sleep(2.0)
            return {"before": before, "during": during, "after": spell(port)}
        finally:
            for running in reversed(started):
                stop(running)
