"""A load test from its options to its result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tiercel.apps.demo.processes import HOST, free_port, started
from tiercel.apps.loadtest.gateway import GatewayFailed, LoadClient
from tiercel.apps.loadtest.result import LoadResult, result_of
from tiercel.apps.loadtest.settings import LoadSettings, write_config
from tiercel.apps.loadtest.traffic import LoadRun, Tell
from tiercel.config.environment import PROCESS
from tiercel.domain.errors import InvalidInput, Problem

_SETTLE_S = 20.0
"""So long it is waited for alerts to resolve when the load is over, and for a third of the test at most."""
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway to load, and its process where it is ours."""

    url: str
    process_id: int | None = None


def run(settings: LoadSettings, tell: Tell) -> LoadResult:
    """Load the gateway of the options, or one that is started for it and ended with it.

    Raises `InvalidInput`, `NotStarted`, `GatewayFailed`.
    """
    key = ""
    if settings.key_env:
        key = PROCESS.get(settings.key_env, "")
        if not key:
            raise InvalidInput(
                [Problem("--key-env", "names an environment variable that is not set", settings.key_env)]
            )
    with serving(settings) as target:
        return asyncio.run(_loaded(settings, target, key, tell))


async def _loaded(settings: LoadSettings, target: Target, key: str, tell: Tell) -> LoadResult:
    async with LoadClient(target.url, key) as client:
        # whether it can be loaded at all, before anything is sent
        await client.alerts()
        began_at, began_s = datetime.now(UTC), time.monotonic()
        traffic = await LoadRun(client, settings, tell, target.process_id).run()
        took_s = time.monotonic() - began_s
        if not traffic.sent:
            raise GatewayFailed(f"no request was due within {settings.lasts_s:g} s: raise --rate or --duration")
        alerts = await (client.alerts() if target.process_id is None else _settled(client, settings.lasts_s))
        return result_of(settings, traffic, alerts, began_at, took_s)


async def _settled(client: LoadClient, lasted_s: float) -> list[Any]:
    """The alerts when no more are raised; those that are about to resolve are waited for."""
    end_s = time.monotonic() + min(_SETTLE_S, lasted_s / 3)
    while True:
        # asking is looking: what is learned is checked with every call
        await asyncio.sleep(_LOOK_S)
        alerts = await client.alerts()
        if time.monotonic() >= end_s or all(alert["resolved_at"] is not None for alert in alerts):
            return alerts


@contextmanager
def serving(settings: LoadSettings) -> Iterator[Target]:
    """The gateway of the options, or one that is started, with its models, until the block is left."""
    if settings.url:
        yield Target(settings.url)
        return
    with TemporaryDirectory(prefix="tiercel-loadtest-", ignore_cleanup_errors=True) as made:
        folder, port, upstream_port = Path(made), free_port(), free_port()
        config = write_config(folder, settings, port=port, upstream_port=upstream_port)
        environment = {name: value for name, value in PROCESS.items() if not name.startswith("TIERCEL_")}
        scripted = [
            "tiercel.apps.loadtest.upstream",
            f"--port={upstream_port}",
            f"--scenario={settings.scenario}",
            f"--duration={settings.lasts_s}",
            f"--seed={settings.seed}",
        ]
        served = ["tiercel", "serve", f"--config={config}", f"--port={port}"]
        with (
            started("upstream", upstream_port, scripted, folder, environment) as upstream,
            started("gateway", port, served, folder, environment) as gateway,
        ):
            upstream.wait()
            gateway.wait()
            yield Target(f"http://{HOST}:{port}", gateway.process.pid)
