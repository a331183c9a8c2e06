"""A load test on a terminal: while it runs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tiercel.apps.loadtest.result import Latency, LoadResult
from tiercel.apps.loadtest.settings import LoadSettings
from tiercel.apps.loadtest.traffic import Tell, Traffic

_MIB = 1 << 20


@contextmanager
def watching(console: Console, settings: LoadSettings) -> Iterator[Tell]:
    """Gives what to tell of progress: a bar on a terminal, nothing else."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(settings.scenario, total=settings.lasts_s, said="")

        def tell(now_s: float, traffic: Traffic) -> None:
            failed = sum(not one.reply.success for one in traffic.sent)
            progress.update(task, completed=now_s, said=f"{len(traffic.sent):,} answered, {failed:,} failed")

        yield tell


def summarise(console: Console, result: LoadResult) -> None:
    """The report."""
    settings = result.settings
    console.print(Text(f"{settings.scenario}: {settings.load.summary}", "bold"))
    how = f"{settings.concurrency} callers" if settings.concurrency else f"{settings.per_s:g} requests a second"
    console.print(f"{settings.lasts_s:g} s, {how}, seed {settings.seed}; took {result.took_s:.1f} s\n")
    console.print(_overall(result))
    if result.spells:
        console.print(_spells(result))
    console.print(f"\n{_alerts_line(result)}")
    if result.alerts:
        console.print(_alerts(result))


def _overall(result: LoadResult) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column()
    statuses = ", ".join(f"{n:,} x {'no answer' if status == '0' else status}" for status, n in result.statuses.items())
    unsent = f"; {result.unsent:,} were due and not sent: too many were under way" if result.unsent else ""
    rows = [
        ("requests", f"{result.requests:,} ({statuses}){unsent}"),
        ("failures", f"{result.failures:,} ({result.failures / max(result.requests, 1):.2%})"),
        ("throughput", f"{result.throughput_per_s:,.1f} a second"),
        ("latency, ms", _latency(result.latency_ms)),
        ("shares", _shares(result.shares)),
        ("ratings", f"{result.rated:,}" + (f"; {result.unrated:,} were not taken" if result.unrated else "")),
    ]
    if result.memory:
        first, last = result.memory[len(result.memory) // 10][1], result.memory[-1][1]
        rows.append(("memory", f"{first / _MIB:,.0f} MiB after a tenth, {last / _MIB:,.0f} MiB at the end"))
    for name, said in rows:
        table.add_row(name, said)
    return table


def _spells(result: LoadResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("spell", "seconds", "requests", "failed", "latency, ms", "shares"):
        table.add_column(column, justify="right" if column in {"requests", "failed"} else "left")
    for spell in result.spells:
        table.add_row(
            spell.name,
            f"{spell.start_s:g} to {spell.end_s:g}",
            f"{spell.requests:,}",
            f"{spell.failures:,}",
            _latency(spell.latency_ms),
            _shares(spell.shares),
        )
    return table


def _alerts_line(result: LoadResult) -> str:
    if not result.alerts:
        return "No alert was raised."
    over = sum(alert.resolved_s is not None for alert in result.alerts)
    line = f"{len(result.alerts)} alert{'s' * (len(result.alerts) > 1)}, {over} resolved"
    if result.breaches:
        line += f"; {result.breaches:,} breaches"
    most = result.most_alerts_of_an_incident
    return f"{line}; none was raised twice in one severity." if most == 1 else f"{line}; one was raised {most} times."


def _alerts(result: LoadResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("raised, s", "resolved, s"):
        table.add_column(column, justify="right")
    for column in ("severity", "alert", "what"):
        table.add_column(column, overflow="fold")
    for alert in result.alerts:
        resolved = "active" if alert.resolved_s is None else f"{alert.resolved_s:.1f}"
        table.add_row(f"{alert.raised_s:.1f}", resolved, alert.severity, alert.kind, Text(alert.message))
    return table


def _latency(latency: Latency) -> str:
    if latency.p50 is None or latency.p95 is None or latency.p99 is None:
        return "-"
    return f"p50 {latency.p50:,.0f}, p95 {latency.p95:,.0f}, p99 {latency.p99:,.0f}"


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{model} {share:.0%}" for model, share in shares.items()) or "-"
