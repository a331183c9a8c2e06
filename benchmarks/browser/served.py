"""A gateway over the benchmark's history, and callers who do not stop."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.dashboard import CATALOGUE, history

from tiercel import bootstrap
from tiercel.apps.demo.processes import HOST, free_port, started
from tiercel.core.statistics.fold import fold

BUSY_S, CALM_S = 0.02, 0.5
"""The pause between two calls: for frames under load, and for an hour of readings, which wait for each commit."""


def _config(port: int) -> str:
    models = "".join(
        f"""
[[models]]
id = "{model.model_id}"
provider = "nobody"
tier = "{model.tier}"
price_usd_per_mtok = {{ input = {model.price.input}, output = {model.price.output} }}
"""
        for model in CATALOGUE
        if model.price
    )
    return f"""
[store]
url = "sqlite:///tiercel.db"
retention_s = 7776000

[server]
port = {port}

[[providers]]
id = "nobody"
base_url = "http://{HOST}:9/v1"
{models}
[[routes]]
match = "*"
policy = "tier-rules"
"""


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Its address, with the whole history in its store."""
    store = bootstrap.open_store(f"sqlite:///{folder}/tiercel.db")
    now = datetime.now(UTC)
    for batch in history(now):
        store.append(batch, fold)
    store.compact(now)
    store.close()
    port = free_port()
    path = folder / "tiercel.toml"
    path.write_text(_config(port))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_")}
    command = ["tiercel", "serve", f"--config={path}", f"--port={port}"]
    with started("gateway", port, command, folder, environment) as running:
        running.wait()
        yield f"http://{HOST}:{port}"


@contextmanager
def callers(url: str, pace_s: float = BUSY_S) -> Iterator[None]:
    """Decisions with their outcomes and ratings, until the block is left."""
    enough = threading.Event()

    def call() -> None:
        number = 0
        while not enough.wait(pace_s):
            number += 1
            made = _post(f"{url}/v1/decisions", {"workflow": f"w{number % 5}", "stage": f"s{number % 50}"})
            done = {"decision_id": made["id"], "success": True, "latency_ms": 300.0 + number % 200}
            _post(f"{url}/v1/outcomes", {**done, "prompt_tokens": 500, "completion_tokens": 200})
            if number % 3 == 0:
                _post(f"{url}/v1/feedback", {"decision_id": made["id"], "quality": 0.8, "source": f"user:{number}"})

    calling = threading.Thread(target=call)
    calling.start()
    try:
        yield
    finally:
        enough.set()
        calling.join()


def _post(url: str, body: Mapping[str, object]) -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - our own gateway
        answer: dict[str, object] = json.load(response)
    return answer
