"""Measure the CPU each relay spends per completed request.

CPU, not latency or throughput, is the measure: on a shared noisy machine the
CPU seconds charged to a process (user + system, ``/proc/PID/stat``, whole
process tree) vary far less than wall times. Rounds are interleaved
(A B C A B C ...) so that a slow spell of the machine falls on all servers
alike, and the ratio to the first server (the bare relay) is taken per round,
then its median.

The servers under test are data (``servers.json``): a name and a command in
which ``{python} {here} {port} {upstream_port} {upstream_url}`` are filled in.
To add a gateway, add one line there or in a file given with ``--servers``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks import results
from benchmarks.relay.processes import Running, ServerSpec, cpu_seconds, free_port, pinned, start, stop

HERE: Final = Path(__file__).resolve().parent
REQUEST_PATH: Final = "/v1/chat/completions"
_MISSING_WRK: Final = "wrk is not installed; install it with: apt-get install wrk"


class MeasurementError(RuntimeError):
    """A run whose numbers would mean nothing."""


def load_specs(paths: list[Path]) -> list[ServerSpec]:
    """Read the server lists; the first server is the yardstick."""
    specs: list[ServerSpec] = []
    for path in paths:
        for item in json.loads(path.read_text(encoding="utf-8")):
            specs.append(ServerSpec(str(item["name"]), [str(word) for word in item["command"]]))
    if not specs:
        raise MeasurementError("no servers given")
    return specs


def run_wrk(port: int, mode: str, connections: int, seconds: int, core: int) -> dict[str, int]:
    """Load one server and return the totals that ``load.lua`` prints."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise MeasurementError(_MISSING_WRK)
    command = [wrk, "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s"]
    command += ["-s", str(HERE / "load.lua"), f"http://127.0.0.1:{port}{REQUEST_PATH}", "--", mode]
    with pinned(core):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(timeout=seconds + 60)
    for line in output.splitlines():
        if line.startswith("RESULT "):
            totals: dict[str, int] = json.loads(line.removeprefix("RESULT "))
            return totals
    raise MeasurementError(f"wrk printed no result: {output[-500:]}")


def measure_once(running: Running, options: argparse.Namespace, seconds: int) -> dict[str, float]:
    """Load one server for one round and return its cost."""
    before_s = cpu_seconds(running.process.pid)
    totals = run_wrk(running.port, options.mode, options.connections, seconds, options.load_core)
    cpu_s = cpu_seconds(running.process.pid) - before_s
    requests = totals["requests"] - totals["status_errors"]
    if requests <= 0:
        raise MeasurementError(f"{running.name}: no request was answered with 2xx/3xx")
    return {
        "cpu_us_per_request": cpu_s / requests * 1e6,
        "cpu_s": cpu_s,
        "requests_per_s": requests / (totals["duration_us"] / 1e6),
        "cores_used": cpu_s / (totals["duration_us"] / 1e6),
        **{key: float(value) for key, value in totals.items()},
    }


@contextlib.contextmanager
def running_servers(specs: list[ServerSpec], options: argparse.Namespace, logs: Path) -> Iterator[list[Running]]:
    """Start the upstream and every server; stop them whatever happens."""
    started: list[Running] = []
    upstream_port = free_port()
    words = {"python": sys.executable, "here": str(HERE), "upstream_port": str(upstream_port)}
    words["upstream_url"] = f"http://127.0.0.1:{upstream_port}"
    upstream = ["{python}", "{here}/upstream.py", "--port", "{port}"]
    upstream += ["--events", str(options.events), "--interval-ms", str(options.interval_ms)]
    try:
        spec = ServerSpec("upstream", upstream)
        started.append(start(spec, words, upstream_port, options.load_core, logs))
        for spec in specs:
            started.append(start(spec, words, free_port(), options.server_core, logs))
        yield started[1:]
    finally:
        for running in reversed(started):
            stop(running)


def run_rounds(running: list[Running], options: argparse.Namespace) -> list[list[dict[str, float]]]:
    """Warm each server up, then measure in interleaved rounds."""
    for server in running:
        measure_once(server, options, 1)
    rounds: list[list[dict[str, float]]] = []
    for number in range(options.rounds):
        rounds.append([measure_once(server, options, options.seconds) for server in running])
        costs = " ".join(f"{item['cpu_us_per_request']:.0f}" for item in rounds[-1])
        print(f"round {number + 1}/{options.rounds}: {costs} us/request", file=sys.stderr)
    return rounds


def summarize(specs: list[ServerSpec], rounds: list[list[dict[str, float]]]) -> list[dict[str, object]]:
    """Return one record per server with medians over the rounds."""
    records: list[dict[str, object]] = []
    for index, spec in enumerate(specs):
        own = [item[index] for item in rounds]
        costs = [item["cpu_us_per_request"] for item in own]
        ratios = [item[index]["cpu_us_per_request"] / item[0]["cpu_us_per_request"] for item in rounds]
        records.append(
            {
                "name": spec.name,
                "command": spec.command,
                "cpu_us_per_request": statistics.median(costs),
                "cpu_us_per_request_min": min(costs),
                "cpu_us_per_request_max": max(costs),
                "ratio_to_first": statistics.median(ratios),
                "ratio_to_first_max": max(ratios),
                "requests_per_s": statistics.median(item["requests_per_s"] for item in own),
                "p50_us": statistics.median(item["p50_us"] for item in own),
                "p99_us": statistics.median(item["p99_us"] for item in own),
                "errors": sum(item["socket_errors"] + item["status_errors"] for item in own),
                "rounds": own,
            }
        )
    return records


def print_table(records: list[dict[str, object]]) -> None:
    """Print the medians as a plain table."""
    columns = (
        "cpu_us_per_request",
        "ratio_to_first",
        "requests_per_s",
        "p50_us",
        "p99_us",
        "errors",
    )
    titles = ("cpu us/req", "ratio", "req/s", "p50 us", "p99 us", "errors")
    width = max(len(str(record["name"])) for record in records)
    print(" ".join([f"{'server':{width}}", *(f"{title:>10}" for title in titles)]))
    for record in records:
        cells = [f"{record['name']!s:{width}}"]
        for column in columns:
            places = 2 if column == "ratio_to_first" else 0
            cells.append(f"{record[column]:>10.{places}f}")
        print(" ".join(cells))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    last_core = max(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description="CPU per relayed request")
    parser.add_argument("--servers", type=Path, action="append", help="further server lists")
    parser.add_argument("--only", nargs="*", help="names to measure besides the first")
    parser.add_argument("--mode", choices=("json", "stream"), default="json")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--events", type=int, default=20, help="SSE events per stream")
    parser.add_argument("--interval-ms", type=float, default=0.0, help="pause between SSE events")
    parser.add_argument("--server-core", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--load-core", type=int, default=last_core)
    return parser.parse_args()


def main() -> int:
    """Measure, write the data and print the table."""
    options = read_options()
    if shutil.which("wrk") is None:
        print(_MISSING_WRK, file=sys.stderr)
        return 2
    specs = load_specs([HERE / "servers.json", *(options.servers or [])])
    if options.only is not None:
        specs = specs[:1] + [spec for spec in specs[1:] if spec.name in options.only]
    logs = Path(tempfile.mkdtemp(prefix="relay-logs-"))
    with running_servers(specs, options, logs) as running:
        rounds = run_rounds(running, options)
    records = summarize(specs, rounds)
    settings = {key: str(value) for key, value in vars(options).items()}
    results.store(f"relay_{options.mode}", {"settings": settings, "servers": records})
    print_table(records)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
