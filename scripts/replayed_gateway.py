"""A gateway over a past day and with users of now, for a look at its dashboard."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from scripts.replayed_day import WORKFLOWS, replay
from scripts.replayed_evaluation import evaluate

from tiercel.apps.demo.processes import HOST, free_port, started
from tiercel.apps.demo.table import MODELS, prompts

_CAPABILITIES = {
    "cheap": {"general": 0.6, "reasoning": 0.45, "writing": 0.6},
    "capable": {"general": 0.8, "reasoning": 0.75, "writing": 0.8},
    "premium": {"general": 0.95, "reasoning": 0.95, "writing": 0.9},
}
_AGENTS = {"solver": "reasoning", "writer": "writing", "checker": "general"}
_PACE_S = 0.1
EVALUATIONS = "evaluations"


def config(port: int, upstream_port: int) -> str:
    """Two workflows: one is routed by what each request may cost, the other by tiers whose changes need a yes."""
    models = "".join(
        f"""
[[models]]
id = "{model.model_id}"
provider = "replay"
tier = "{model.tier}"
context_length = {model.context_length}
capabilities = {{ {", ".join(f"{name} = {value}" for name, value in _CAPABILITIES[model.tier].items())} }}
price_usd_per_mtok = {{ input = {model.price.input}, output = {model.price.output} }}
"""
        for model in MODELS
    )
    agents = "".join(f'\n[[agents]]\nid = "{name}"\nrequired = ["{need}"]\n' for name, need in _AGENTS.items())
    return f"""
[store]
url = "sqlite:///tiercel.db"

[server]
port = {port}
seed = 0

[dashboard]
evaluations = "{EVALUATIONS}"

[alerts]
latency_p95_warning_ms = 20000
latency_p95_error_ms = 60000
latency_p99_critical_ms = 120000

[feedback]
quality_threshold = 0.8

[[providers]]
id = "replay"
base_url = "http://{HOST}:{upstream_port}/v1"
{models}{agents}
[[routes]]
match = "tutor/*"
policy = "tier-rules"
changes = "approval"
approval_timeout_s = 86400

[[routes]]
match = "*"
policy = "contextual"
budget_usd_per_request = 0.0004
"""


@contextmanager
def gateway(folder: Path, *, requests: int, speed: float = 1.0) -> Iterator[str]:
    """Its address, with `requests` of the past day in its store; nothing but the gateway and its upstream runs."""
    port, upstream_port = free_port(), free_port()
    path = folder / "tiercel.toml"
    path.write_text(config(port, upstream_port))
    evaluate(folder / EVALUATIONS)
    replay(path, requests=requests, end=datetime.now(UTC))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_")}
    scripted = ["tiercel.apps.demo.upstream", f"--port={upstream_port}", "--seed=0", f"--speed={speed}"]
    served = ["tiercel", "serve", f"--config={path}", f"--port={port}"]
    with (
        started("upstream", upstream_port, scripted, folder, environment) as upstream,
        started("gateway", port, served, folder, environment) as running,
    ):
        upstream.wait()
        running.wait()
        yield f"http://{HOST}:{port}"


def post(url: str, body: Mapping[str, object]) -> dict[str, object]:
    """POST JSON, and decode the answer. Raises `urllib.error.HTTPError`."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - our own gateway
        answer: dict[str, object] = json.load(response)
    return answer


def attend(url: str) -> None:
    """The agents say that they are there, and are given models."""
    for i, agent in enumerate(_AGENTS):
        post(f"{url}/v1/agents/{agent}/heartbeat", {"status": "running", "progress": 0.3 * i})
    post(f"{url}/api/v1/model-router/auto-assign-all", {"strategy": "adaptive"})


@contextmanager
def users(url: str, *, pace_s: float = _PACE_S, at_once: int = 4) -> Iterator[None]:
    """Users who ask and rate until the block is left."""
    enough = threading.Event()
    asking = [threading.Thread(target=_ask, args=(url, first, at_once, pace_s, enough)) for first in range(at_once)]
    for one in asking:
        one.start()
    try:
        yield
    finally:
        enough.set()
        for one in asking:
            one.join()


def _ask(url: str, first: int, step: int, pace_s: float, enough: threading.Event) -> None:
    for i, prompt in enumerate(prompts()[first::step]):
        if enough.wait(pace_s):
            return
        workflow = WORKFLOWS[i % len(WORKFLOWS)]
        told = {"workflow": workflow, "stage": prompt.stage, "task": "reasoning"}
        body = {"model": "auto", "messages": [{"role": "user", "content": prompt.text}], "metadata": told}
        answer = post(f"{url}/v1/chat/completions", body)
        quality = prompt.recorded[str(answer["model"])].quality
        post(f"{url}/v1/feedback", {"completion_id": answer["id"], "quality": quality, "source": "judge"})
