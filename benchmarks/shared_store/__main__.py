"""Measure, print, keep. Decisions in interleaved rounds, each in a process of its own, beside one without a store."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import results
from benchmarks.redis_server import RedisServer, redis_server
from benchmarks.shared_store import amounts, gateway
from benchmarks.shared_store.calls import measured
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROUNDS = 3
SPELL_S = 5.0


@contextmanager
def _server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        yield server


def decisions() -> dict[str, list[dict[str, float]]]:
    """How long decisions take without a store, with it, while it is frozen, and while it is gone."""
    acts: Mapping[str, Callable[[RedisServer], object]] = {
        "no store": lambda _: None,
        "present": lambda _: None,
        "frozen": RedisServer.freeze,
        "gone": RedisServer.kill,
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in acts}
    for _ in track(range(ROUNDS), description="deciding"):
        for name, act in acts.items():
            with _server() as server:
                url = "memory://" if name == "no store" else server.url
                rounds[name].append(measured(url, SPELL_S, lambda act=act, server=server: act(server)))  # type: ignore[misc]
    return rounds


def ratios(rounds: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of each state to no store: the median of the rounds' ratios."""
    return {
        name: {
            figure: statistics.median(
                own[figure] / bare[figure] for own, bare in zip(measured_, rounds["no store"], strict=True)
            )
            for figure in ("p50_us", "p99_us")
        }
        for name, measured_ in rounds.items()
    }


def shown(rounds: Mapping[str, list[dict[str, float]]], rates: Mapping[str, float]) -> None:
    """The medians as tables."""
    table = Table("store", "p50 us", "p99 us", "longest ms", "p50 to no store", "p99 to no store", title="decisions")
    for name, ratio in ratios(rounds).items():
        p50, p99 = (statistics.median(one[figure] for one in rounds[name]) for figure in ("p50_us", "p99_us"))
        longest = max(one["longest_ms"] for one in rounds[name])
        cells = (f"{p50:.0f}", f"{p99:.0f}", f"{longest:.1f}", f"{ratio['p50_us']:.2f}", f"{ratio['p99_us']:.2f}")
        table.add_row(name, *cells)
    amounts_table = Table("what", "figure")
    for name, figure in rates.items():
        amounts_table.add_row(name.replace("_", " "), f"{figure:,.0f}")
    console = Console()
    console.print(table)
    console.print(amounts_table)


def main() -> None:
    """Measure all of it."""
    rounds = decisions()
    with _server() as server:
        rates = {**amounts.in_memory(), **amounts.over_the_network(server), **amounts.sizes(server)}
        rates |= amounts.drained(server)
    with _server() as server:
        pause = gateway.paused(server)
    shown(rounds, rates)
    table = Table("gateway", "requests", "failed", "requests/s", "p50 ms", "p99 ms", title="CLIENT PAUSE")
    for name, row in pause.items():
        cells = (f"{row['requests_per_s']:.0f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
        table.add_row(name, f"{row['requests']:,.0f}", f"{row['failed']:.0f}", *cells)
    Console().print(table)
    figures = {"decisions": rounds, "ratios": ratios(rounds), "amounts": rates, "gateway_pause": pause}
    results.store("shared_store", {**figures, "published": gateway.PUBLISHED})


if __name__ == "__main__":
    main()
