"""Running the gateway: granian in front, one worker process, the configuration read in the worker."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from tiercel import bootstrap
from tiercel.apps.gateway.asgi import Gateway
from tiercel.apps.gateway.collection import collect_in_small_steps
from tiercel.apps.gateway.logs import TEXT, log_configuration
from tiercel.apps.gateway.state import GatewayState
from tiercel.config import environment
from tiercel.config.settings import Settings
from tiercel.config.urls import is_loopback
from tiercel.domain.errors import ConfigurationError, Problem
from tiercel.library.router import AsyncRouter

log = logging.getLogger("tiercel.gateway")

DRAIN_S = 10
"""When granian kills the worker; before, after `state.GRACE_S`, what is under way is ended in good order."""
HEADER_RECEIPT_MS = 10_000
_ADDRESS_VARIABLE = "TIERCEL_ADDRESS"
_LISTENING_S = 0.02
_ORPHAN_S = 0.5
_SWITCH_INTERVAL_S = 0.001
"""The log's writer thread must give way to the event loop sooner than after the interpreter's 5 ms."""


def build_gateway(settings: Settings, *, on_ready: Callable[[], Coroutine[Any, Any, None]] | None = None) -> Gateway:
    """The gateway of a configuration, with the keys that it names. Raises `ConfigurationError` where one is missing."""
    keys = environment.access_keys(settings)
    router = AsyncRouter(settings=settings, store=settings.store.url, telemetry=bootstrap.build_telemetry(settings))
    return Gateway(GatewayState(router, settings, keys, bootstrap.build_outlets(settings)), on_ready=on_ready)


def create() -> Gateway:
    """What the worker process serves: the gateway of the file that TIERCEL_CONFIG names."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    collect_in_small_steps()
    path = environment.config_path()
    if path is None:
        problem = Problem(environment.CONFIG_VARIABLE, "must name the configuration file", "", "missing")
        raise ConfigurationError([problem])
    settings = bootstrap.load_settings(path)
    host, port = _address()
    here = replace(settings.server, host=host or settings.server.host, port=port or settings.server.port)
    gateway = build_gateway(replace(settings, server=here), on_ready=lambda: _ready(gateway))
    return gateway


def _address() -> tuple[str, int]:
    """Where the command listens, which may be elsewhere than the file says; "" and 0 where nothing told."""
    host, _, port = os.environ.get(_ADDRESS_VARIABLE, "").rpartition(":")
    return host.strip("[]"), int(port or 0)


async def _ready(gateway: Gateway) -> None:
    command = os.getppid()
    _end_streams_on_stop(gateway)
    await _announce()
    await _end_with(command)


def _end_streams_on_stop(gateway: Gateway) -> None:
    """End streams when told to stop: granian waits for every connection before it tells the application."""
    loop = asyncio.get_running_loop()

    def told(_signal: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(gateway.state.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        # this is called beside granian's own handler, which the loop learns of through its wake-up descriptor
        signal.signal(number, told)


async def _end_with(command: int) -> None:
    """Stop when the command is gone that started this worker: it was killed, and nobody else would tell the worker."""
    while os.getppid() == command:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(_ORPHAN_S)
    log.warning("the command that started this process is gone: stopping")
    os.kill(os.getpid(), signal.SIGTERM)


async def _announce() -> None:
    """Say on the command's standard output, which the worker shares, that the gateway serves: once it really does."""
    host, port = _address()
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            # granian listens only after the application has started, and does not say when
            await asyncio.sleep(_LISTENING_S)
        else:
            break
    writer.close()
    address = f"http://{_bracketed(host)}:{port}"
    sys.stdout.write(f"tiercel serves on {address} (OpenAI clients: base_url={address}/v1); stop it with Ctrl-C\n")
    sys.stdout.flush()


def check(settings: Settings, *, insecure: bool = False) -> None:
    """Refuse what could not work or would be unsafe, before anything listens. Raises `ConfigurationError`."""
    problems: list[Problem] = []
    host, port = settings.server.host, settings.server.port
    if not (settings.keys or is_loopback(host) or insecure):
        message = "without keys the gateway listens on this machine only: add [[keys]] (docs/access.md), put a proxy "
        told = message + "that authenticates in front of 127.0.0.1, or say --insecure"
        problems.append(Problem("server.host", told, repr(host), "value"))
    if not settings.models:
        problems.append(Problem("models", "at least one model is needed", "none", "missing"))
    try:
        with socket.create_server((host, port), family=_family(host), reuse_port=False):
            pass
    except OSError as error:
        problems.append(Problem("server.port", f"cannot listen on {host}:{port}: {error.strerror}", str(port), "value"))
    if problems:
        raise ConfigurationError(problems)


def serve(config: Path, host: str, port: int, *, log_format: str = TEXT) -> None:
    """Serve until SIGINT or SIGTERM; what is under way gets `GRACE_S` seconds (see state.py) to end by itself."""
    # the worker is another process, which is told by the environment where its configuration is
    os.environ[environment.CONFIG_VARIABLE] = str(config.resolve())
    os.environ[_ADDRESS_VARIABLE] = f"{_bracketed(host)}:{port}"
    Granian(
        f"{__name__}:{create.__name__}",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=1,
        loop=Loops.auto,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_RECEIPT_MS),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=log_configuration(log_format),
        workers_kill_timeout=DRAIN_S,
    ).serve()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
