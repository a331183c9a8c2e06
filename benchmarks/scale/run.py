"""Sixteen gateways over the Cluster: what they took and saw, and what a gateway does that was away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.scale.gateways import Seen, WatchedStore
from benchmarks.scale.masters import ROOT, Masters
from benchmarks.scale.model import Size
from benchmarks.scale.quiet import SEED, TOGETHER, calls
from benchmarks.scale.script import Script

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import fold
from tiercel.services.learning.learner import FAR_BEHIND, Learner

PROCESSES, EACH = 4, 4
SIZE = Size(segments=40, models=8, gateways=PROCESSES * EACH, calls_per_s=48.0)
SECONDS, IDLE_FOR_S, SETTLE_S = 25.0, 4.0, 3.0
AWAY_CALLS = 8_000


@contextmanager
def processes(url: str) -> Iterator[list[subprocess.Popen[str]]]:
    """The gateways, ready."""
    started: list[subprocess.Popen[str]] = []
    try:
        for number in range(PROCESSES):
            numbers = (number * EACH, EACH, SIZE.own_per_s, SECONDS, SIZE.models, SIZE.segments, SEED)
            command = [sys.executable, "-m", "benchmarks.scale.gateways", url, *map(str, numbers)]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            started.append(subprocess.Popen(command, **pipes, text=True, cwd=ROOT))
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def _tell(processes_: list[subprocess.Popen[str]]) -> None:
    for process in processes_:
        if process.stdin is not None:
            process.stdin.write("go on\n")
            process.stdin.flush()


def _heard(processes_: list[subprocess.Popen[str]]) -> list[str]:
    return [process.stdout.readline() for process in processes_ if process.stdout is not None]


def together(servers: Masters) -> dict[str, float]:
    """What all took in a second of traffic, how stale they were, and whether they agreed when it was over."""
    with processes(f"{servers.url}?name=together") as started:
        _heard(started)
        before, began_s = servers.spent(), time.monotonic()
        _tell(started)
        stopped = [json.loads(line) for line in _heard(started)]
        took_s = time.monotonic() - began_s
        after = servers.spent()
        time.sleep(SETTLE_S)
        quiet = servers.spent()
        time.sleep(IDLE_FOR_S)
        idle = servers.spent().since(quiet, IDLE_FOR_S)
        _tell(started)
        seen = [Seen(**one) for line in _heard(started) for one in json.loads(line)]
    spent = after.since(before, took_s)
    lags = sorted(lag for one in seen for lag in one.lags_s)
    return {
        "calls": seen[0].calls,
        "calls_per_s": seen[0].calls / took_s,
        "idle_received": idle.received,
        "idle_sent": idle.sent,
        "idle_server_cpu_s": idle.cpu_s,
        "held_per_call": quiet.since(before, seen[0].calls).held,
        "received": spent.received,
        "sent": spent.sent,
        "server_cpu_s": spent.cpu_s,
        "gateway_share": sum(one["cpu_s"] for one in stopped) / took_s / len(seen),
        "looks_per_s": sum(one.looks for one in seen) / len(seen) / took_s,
        "staleness_p50_s": lags[len(lags) // 2],
        "staleness_p99_s": lags[len(lags) * 99 // 100],
        "staleness_longest_s": lags[-1],
        "append_ms": sum(one.append_s for one in seen) / sum(one.commits for one in seen) * 1e3,
        "loads": sum(one.loads for one in seen),
        "states": len({one.state for one in seen}),
        "agreed_after_s": max(one.learned_at_s for one in seen) - max(one["left_s"] for one in stopped),
    }


def away(servers: Masters, script: Script, partitions: int) -> dict[str, float]:
    """What a gateway does that finds many events: one that takes the state then, and one that reads them all."""
    url = f"{servers.url}?name=away&partitions={partitions}"
    seen = Seen(), Seen()
    taking, reading = (
        Learner(WatchedStore(url, one), clock=SystemClock(), far_behind=far)
        for one, far in zip(seen, (FAR_BEHIND, sys.maxsize), strict=True)
    )
    store = RedisStore(url)
    for _ in range(AWAY_CALLS // TOGETHER):
        store.append([event for call in calls(script, TOGETHER) for event in call], fold)
    figures: dict[str, float] = {"events": 3 * (AWAY_CALLS // TOGETHER) * TOGETHER}
    for name, learner, one in (("taking", taking, seen[0]), ("reading", reading, seen[1])):
        before, cpu_s = servers.spent(), time.process_time()
        learner.catch_up()
        figures[f"{name}_sent"] = servers.spent().since(before).sent
        figures[f"{name}_cpu_s"] = time.process_time() - cpu_s
        figures[f"{name}_loads"] = one.loads - 1
        figures[f"{name}_read"] = one.events_read
        learner.close()
        learner.store.close()
    store.close()
    servers.clear()
    return figures
