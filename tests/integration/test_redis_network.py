"""The network between processes and their shared store is slow, loses, parts and breaks: decisions do not notice."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.redis_server import redis_server

from support.proxy import Proxy, proxied
from support.reported import Reported
from support.shared import counted, held, kept, router_on
from support.traffic import Traffic, longest_ms, p99_ms, traffic
from support.waiting import until
from tiercel.adapters.redis_store.store import DEFAULT_TIMEOUT_S
from tiercel.library.router import Router

pytestmark = pytest.mark.usefixtures("small_steps")

SEED = 20_261_122
NOISE_MS = DEFAULT_TIMEOUT_S * 1e3
WEATHERS = {"+50 ms": (0.05, 0.0), "+500 ms": (0.5, 0.0), "5 % loss": (0.0, 0.05)}


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_slow_or_lossy_network_changes_no_decision(tmp_path: Path, reported: Reported, weather: str) -> None:
    with (
        redis_server(tmp_path) as server,
        proxied(server.port, seed=SEED) as proxy,
        router_on(proxy.url) as router,
        router_on("memory://") as control,
    ):
        proxy.weather.delay_s, proxy.weather.loss = WEATHERS[weather]
        with traffic(router, control=control) as calls:
            calls.last(reported.size(1.0, 30.0))
        router.learner.flush(20.0)
        reported.none("slow", f"{weather}: decisions failed", of=len(calls.took_s), bad=len(calls.failures))
        added_ms = p99_ms(calls.took_s) - p99_ms(calls.control_s)
        what = f"{weather}: decision p99 {p99_ms(calls.took_s):.2f} ms, added to that without a store"
        reported.most("slow", what, added_ms, 1.0, unit="ms", fails_at=NOISE_MS, seeds=SEED)
        what = f"{weather}: longest decision (without a store {longest_ms(calls.control_s):.1f} ms)"
        reported.most("slow", what, longest_ms(calls.took_s), 50.0, unit="ms", fails_at=NOISE_MS, seeds=SEED)
        wrong = sum(abs(len(calls.took_s) - found) for found in counted(kept(server)))
        reported.none("slow", f"{weather}: lost or counted twice", of=2 * len(calls.took_s), bad=wrong, seeds=SEED)
        assert proxy.lost > 0 or not proxy.weather.loss


@pytest.mark.parametrize("routers", [2, 5])
def test_parted_processes_agree_on_the_exact_sum_when_the_network_is_whole_again(
    tmp_path: Path, reported: Reported, routers: int
) -> None:
    parted_s = reported.size(2.5, 300.0)
    with ExitStack() as stack:
        server = stack.enter_context(redis_server(tmp_path))
        proxies = [stack.enter_context(proxied(server.port)) for _ in range(routers)]
        opened = [stack.enter_context(router_on(proxy.url)) for proxy in proxies]
        # every process goes on serving while it is cut off from all others
        flowing = [
            stack.enter_context(traffic(router, f"user:{number}", pace_s=reported.size(0.02, 1.0)))
            for number, router in enumerate(opened)
        ]
        flowing[0].more(20)
        for proxy in proxies:
            proxy.part()
        flowing[0].last(parted_s)
        assert all(router.learner.degraded for router in opened)
        for calls in flowing:
            calls.stop()
        agreed_s = healed(proxies, opened, flowing)
        made = sum(len(calls.took_s) for calls in flowing)
        what = f"{routers} gateways in one process, parted for {parted_s:g} s"
        bad = sum(len(calls.failures) for calls in flowing)
        reported.none("partition", f"{what}: decisions failed", of=made, bad=bad)
        wrong = sum(abs(made - found) for found in counted(kept(server)))
        reported.none("partition", f"{what}: calls and ratings missing or counted twice", of=2 * made, bad=wrong)
        assert held(opened[0]) == kept(server)
        reported.most("partition", f"{what}, {made:,} calls: all agree after", agreed_s, 5.0, unit="s")


def healed(proxies: list[Proxy], opened: list[Router], flowing: list[Traffic]) -> float:
    """How long it takes until all processes hold the same, which is what all of them did."""
    made = sum(len(calls.took_s) for calls in flowing)
    for proxy in proxies:
        proxy.heal()
    return until(
        lambda: (
            all(counted(held(router)) == (made, made) for router in opened)
            and all(held(router) == held(opened[0]) for router in opened[1:])
        )
    )


class Bytes(logging.Handler):
    """Counts what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += len(self.format(record).encode())


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not opened


def test_a_server_that_comes_and_goes_leaves_nothing_behind(tmp_path: Path, reported: Reported) -> None:
    spell_s, flaps = reported.size((0.2, 8), (2.0, 300))
    logged = Bytes()
    with redis_server(tmp_path) as server, proxied(server.port) as proxy, router_on(proxy.url) as router:
        logging.getLogger("tiercel").addHandler(logged)
        with traffic(router, pace_s=0.01) as calls:
            calls.more(20)
            until(lambda: router.learner.status().buffered < 10)
            measured: list[tuple[float, int, int]] = []
            for flap in range(flaps):
                proxy.refuse() if flap % 2 == 0 else proxy.accept()
                calls.last(spell_s)
                if flap % 2 and flap > flaps // 4:
                    until(lambda: not router.learner.degraded)
                    measured.append((resident_mib(), descriptors(), threading.active_count()))
            proxy.accept()
        logging.getLogger("tiercel").removeHandler(logged)
        router.learner.flush(20.0)
        made = len(calls.took_s)
        what = f"{flaps // 2} times {spell_s:g} s away and as long back"
        reported.none("flapping", f"{what}: decisions failed", of=made, bad=len(calls.failures))
        wrong = sum(abs(made - found) for found in counted(kept(server)))
        reported.none("flapping", f"{what}: lost or counted twice", of=2 * made, bad=wrong)
        first, last = measured[0], measured[-1]
        grown = f"{what}: from {first[0]:.1f} to {last[0]:.1f} MiB; growth"
        reported.most("flapping", grown, last[0] - first[0], reported.size(16.0, 8.0), unit="MiB")
        reported.most("flapping", f"{what}: file descriptors more than at first", last[1] - first[1], 2)
        reported.most("flapping", f"{what}: threads more than at first", last[2] - first[2], 0)
        reported.most("flapping", f"{what}: log per request", logged.count / made, 100.0, unit="B")
