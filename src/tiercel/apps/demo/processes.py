"""Starting and ending the other processes of the demo and of a load test: the upstream and the gateway.

Each runs under a guard that ends it when this process is gone, so nothing outlives it, not even where it was killed.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tiercel.apps.demo import guard
from tiercel.domain.errors import TiercelError

HOST = "127.0.0.1"
START_S = 60.0
_POLL_S = 0.02
_LAST_LINES = 15


class NotStarted(TiercelError):
    """A process did not start."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process that was started, what it is called, and the file with what it says."""

    name: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait until it answers GET /health. Raises `NotStarted` with the last it said if it does not."""
        end_s = time.monotonic() + START_S
        while not _answers(self.port):
            if self.process.poll() is not None:
                raise self._not_started(f"ended with status {self.process.returncode}")
            if time.monotonic() > end_s:
                raise self._not_started(f"did not answer on port {self.port} within {START_S:g} s")
            time.sleep(_POLL_S)

    def _not_started(self, what: str) -> NotStarted:
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        return NotStarted("\n".join([f"the {self.name} {what}; it said:", *(said or ["nothing"])]))


@contextmanager
def started(
    name: str, port: int, command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[Started]:
    """Run `python -m COMMAND` in `folder` under a guard until the block is left; what it says goes to NAME.log."""
    log = folder / f"{name}.log"
    # nothing that lies in the folder may be taken for a module
    python = [sys.executable, "-P"]
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*python, guard.__file__, *python, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,  # an interrupt from the terminal is this process's, which ends the others in order
        )
    try:
        yield Started(name, port, log, process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(guard.GRACE_S + 3)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of loopback on which nothing listened a moment ago."""
    with socket.create_server((HOST, 0)) as held:
        port: int = held.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
