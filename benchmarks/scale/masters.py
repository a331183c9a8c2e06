"""What the masters of a Cluster hold, send, receive and compute; and a Cluster that runs meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis

ROOT = Path(__file__).parents[2]


class Spent(NamedTuple):
    """What servers took so far, all together: bytes held, bytes received and sent, CPU seconds."""

    held: float
    received: float
    sent: float
    cpu_s: float

    def since(self, before: Spent, per: float = 1.0) -> Spent:
        """What was taken since, divided by `per`."""
        return Spent(*((now - then) / per for now, then in zip(self, before, strict=True)))


class Masters:
    """The masters of a Cluster, asked how they are."""

    def __init__(self, ports: list[int]) -> None:
        self.clients: list[Any] = [Redis(port=port, protocol=2) for port in ports]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)

    def spent(self) -> Spent:
        """Until now."""
        figures = [client.info("all") for client in self.clients]
        return Spent(
            *(
                sum(float(figure[name]) for figure in figures for name in names)
                for names in (
                    ("used_memory",),
                    ("total_net_input_bytes",),
                    ("total_net_output_bytes",),
                    ("used_cpu_sys", "used_cpu_user"),
                )
            )
        )

    def clear(self) -> None:
        """Forget everything."""
        for client in self.clients:
            client.flushall()

    def fields(self, name: str, key: str) -> dict[bytes, bytes]:
        """The entries of a store's hashes of that name, of all partitions together."""
        found: dict[bytes, bytes] = {}
        for client in self.clients:
            for held in client.scan_iter(f"tiercel:{{{name}:*}}:{key}", count=1_000):
                found |= client.hgetall(held)
        return found

    def bytes_of(self, name: str, key: str) -> float:
        """What these hashes take in the servers."""
        return sum(
            float(client.memory_usage(held, samples=0))
            for client in self.clients
            for held in client.scan_iter(f"tiercel:{{{name}:*}}:{key}", count=1_000)
        )


@contextmanager
def masters() -> Iterator[Masters]:
    """Three masters that run."""
    command = [sys.executable, "-m", "benchmarks.scale.cluster"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(("tests", "."))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=ROOT, env=environment) as child:  # type: ignore[call-overload]
        yield Masters(json.loads(child.stdout.readline()))
        child.stdin.close()
