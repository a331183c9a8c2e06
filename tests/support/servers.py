"""Real servers in processes of their own: the scripted upstream and the gateway."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

SUPPORT = Path(__file__).parent
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> Any:  # noqa: ANN401 - JSON is anything
    """GET and decode JSON."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own address
        return json.load(response)


def post(url: str, body: object, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """POST JSON; the status and the decoded answer, whatever the status."""
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@dataclass(frozen=True)
class Gateway:
    """A running gateway and the upstream behind it."""

    url: str
    upstream_url: str
    process: subprocess.Popen[str]
    folder: Path

    @property
    def worker(self) -> int:
        """The process id of what serves; `process` only starts and stops it."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(worker)


@contextmanager
def upstream() -> Iterator[str]:
    """The scripted upstream; gives its base URL."""
    port = free_port()
    with subprocess.Popen([sys.executable, SUPPORT / "upstream.py", str(port)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def config(upstream_url: str, models: Sequence[tuple[str, str]], extra: str = "") -> str:
    """A tiercel.toml with `models` as (id, tier); a model's id says what it does (see upstream.py). Rules decide."""
    entries = "\n".join(
        f'[[models]]\nid = "{model_id}"\nprovider = "scripted"\ntier = "{tier}"\ncontext_length = 100000\n'
        f"capabilities = {{ general = 0.8 }}\nprice_usd_per_mtok = {{ input = 1.0, output = 2.0 }}"
        for model_id, tier in models
    )
    provider = f'[[providers]]\nid = "scripted"\nbase_url = "{upstream_url}/v1"'
    rules = '[[routes]]\nmatch = "*"\npolicy = "tier-rules"'
    return f'[store]\nurl = "sqlite:///tiercel.db"\n{provider}\n{entries}\n{extra}\n{rules}'


@contextmanager
def gateway(
    folder: Path, models: Sequence[tuple[str, str]], extra: str = "", environment: Mapping[str, str] = NO_VARIABLES
) -> Iterator[Gateway]:
    """`tiercel serve` over the scripted upstream, with `environment` beside what there is."""
    with upstream() as upstream_url, running(folder, upstream_url, models, extra, environment) as started:
        yield started


@contextmanager
def running(
    folder: Path,
    upstream_url: str,
    models: Sequence[tuple[str, str]],
    extra: str = "",
    environment: Mapping[str, str] = NO_VARIABLES,
) -> Iterator[Gateway]:
    """`tiercel serve` over an upstream that runs already."""
    (folder / "tiercel.toml").write_text(config(upstream_url, models, extra))
    port = free_port()
    command = [sys.executable, "-m", "tiercel", "serve", "--config", "tiercel.toml", "--port", str(port)]
    errors = folder / "gateway.log"
    with (
        errors.open("w") as log,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, env={**_environment(), **environment}
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the gateway ended at once:\n{errors.read_text()}")
            yield Gateway(f"http://127.0.0.1:{port}", upstream_url, process, folder)
        finally:
            process.terminate()
            process.wait(30)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_")}
