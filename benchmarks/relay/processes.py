"""Start, pin, watch and stop the processes of the relay benchmark.

Linux only: CPU time is read from ``/proc`` because it must cover the whole
process tree (a server may fork workers) without the server's cooperation.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_READY_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 10.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROBE: Final = b'{"model":"scripted-1","messages":[{"role":"user","content":"ready?"}]}'


@dataclass(frozen=True)
class ServerSpec:
    """A server under test: what to call it and how to start it."""

    name: str
    command: list[str]


@dataclass(frozen=True)
class Running:
    """A started server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Pin this process to one core so that children started inside inherit it.

    Inheritance avoids ``preexec_fn`` and pins every later thread of the child.
    """
    previous = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, previous)


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the command name."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def process_tree(root: int) -> list[int]:
    """Return ``root`` and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_stat_fields(int(entry.name))[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """Return user + system CPU of the tree, with reaped children.

    Fields 14 to 17 of ``proc(5)``: utime, stime, cutime, cstime, all threads.
    """
    ticks = 0
    for pid in process_tree(root):
        with contextlib.suppress(OSError):
            ticks += sum(int(field) for field in _stat_fields(pid)[11:15])
    return ticks / _TICKS_PER_S


def start(spec: ServerSpec, words: dict[str, str], port: int, core: int, logs: Path) -> Running:
    """Start a server pinned to ``core`` and wait until it answers a request."""
    command = [word.format(port=port, **words) for word in spec.command]
    log_path = logs / f"{spec.name.replace('/', '_')}.log"
    with pinned(core), log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    running = Running(spec.name, port, process)
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline_s:
            stop(running)
            tail = log_path.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{spec.name} did not get ready: {tail}")
        time.sleep(0.05)
    return running


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer local-test"}
    try:
        connection.request("POST", "/v1/chat/completions", _PROBE, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return response.status == http.client.OK


def stop(running: Running) -> None:
    """End a server and what it started: ask first, kill its session later."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(_STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(_STOP_TIMEOUT_S)
