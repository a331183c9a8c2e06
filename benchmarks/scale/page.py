"""docs/scale.md: the arithmetic, step by step, with the constants that were measured. The text is in page.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.scale import model
from benchmarks.scale.model import BUCKETS_AT_MOST, BUCKETS_OF_A_DAY, Constants, Size
from benchmarks.scale.paper import DAY_S, LARGE, Check, Need, advised, checks, limits, need, read_constants

TEXT = Path(__file__).with_name("page.md")
MILLION, GIGA, TERA = 1e6, 1e9, 1e12


def page(content: Mapping[str, Any]) -> str:
    """The whole page."""
    figures = content["figures"]
    known, size = read_constants(figures["constants"]), Size(**figures["size"])
    found = checks(known, size, figures["run"], figures["state"])
    shown = {
        "commit": content["commit"],
        "processor": f"{content['machine']['processor']}, {content['machine']['cores']} shared cores",
        "python": content["machine"]["python"],
        "checks": _checks(found),
        "worst": f"{max(max(one.ratio, 1 / one.ratio) for one in found):.2f}",
        "limits": _table(("up to", "calls/s"), ((what, _short(calls)) for what, calls in limits(known))),
        "advised": _advised(known),
    }
    text = TEXT.read_text(encoding="utf-8")
    return text.format_map(
        {**shown, **_constants(known), **_small(figures, size), **_large(known), **_away(figures["away"])}
    )


def _constants(known: Constants) -> dict[str, str]:
    return {
        "decision": f"{known.decision:,.0f}",
        "candidate": f"{known.candidate:,.0f}",
        "outcome": f"{known.outcome:,.0f}",
        "rating": f"{known.rating:,.0f}",
        "call_of_two": f"{model.call_bytes(known, 2) / 1e3:.1f}",
        "call_of_ten": f"{model.call_bytes(known, 10) / 1e3:.1f}",
        "call_of_many": f"{model.call_bytes(known, LARGE.models) / 1e3:.1f}",
        "state_key": f"{known.state_key / 1e3:.0f}",
        "state_bucket": f"{known.state_bucket / 1e3:.1f}",
        "ways": _ways(known),
        "buckets_of_a_day": f"{BUCKETS_OF_A_DAY}",
        "buckets_at_most": f"{BUCKETS_AT_MOST}",
        "poll_received": f"{known.poll.received / 1e3:.1f}",
        "poll_sent": f"{known.poll.sent / 1e3:.1f}",
        "poll_server_us": f"{known.poll.server_cpu_s * MILLION:.0f}",
        "poll_gateway_us": f"{known.poll.gateway_cpu_s * MILLION:.0f}",
        "commit_ms": f"{known.commit_took_s * 1e3:.1f}",
        "state_read": f"{1 / known.state_read_s / MILLION:.0f}",
        "followed": ", ".join(
            f"{model.calls_followed_per_s(known, models, 1.0):,.0f} with {models}" for models in (2, 10, LARGE.models)
        ),
        "events_followed": f"{model.EVENTS * model.calls_followed_per_s(known, 2, 1.0):,.0f}",
    }


def _ways(known: Constants) -> str:
    rows = []
    for way, name in ((known.commit, "commit"), (known.read, "read and learn")):
        for line, what, unit in (
            (way.received, "bytes to the servers", 1.0),
            (way.sent, "bytes from the servers", 1.0),
            (way.server_cpu_s, "CPU of the servers, us", MILLION),
            (way.gateway_cpu_s, "CPU of the gateway, us", MILLION),
        ):
            costs = (line.partition, line.call, line.candidate)
            rows.append((name, what, *(_short(cost * unit) for cost in costs)))
    return _table(("", "", "each partition", "each call", "each candidate"), rows)


def _small(figures: Mapping[str, Any], size: Size) -> dict[str, str]:
    run = figures["run"]
    return {
        "run_calls": f"{run['calls']:,.0f}",
        "run_calls_per_s": f"{run['calls_per_s']:.0f}",
        "run_gateways": f"{size.gateways}",
        "run_segments": f"{size.segments}",
        "run_models": f"{size.models}",
        "p50_s": f"{run['staleness_p50_s']:.2f}",
        "p99_s": f"{run['staleness_p99_s']:.2f}",
        "longest_s": f"{run['staleness_longest_s']:.2f}",
        "agreed_s": f"{run['agreed_after_s']:.2f}",
        "states": f"{run['states']:.0f}",
        "loads": f"{run['loads']:.0f}",
    }


def _large(known: Constants) -> dict[str, str]:
    size = LARGE
    sent = model.flow(known, size, "sent")
    hours = need(known, size, 0, 1)
    apart = replace(size, calls_per_s=size.own_per_s, gateways=1)
    return {
        "log_per_s": f"{model.log_bytes(known, size, 1) / GIGA:.2f}",
        "log_day": f"{hours.log / TERA:.0f}",
        "log_week": f"{model.log_bytes(known, size, 8 * DAY_S) / TERA:.0f}",
        "day_masters": f"{hours.masters:,}",
        "keys": f"{size.segments * (size.models + size.tiers + 1):,}",
        "state_new": f"{model.state_bytes(known, size, 1) / GIGA:.1f}",
        "state_day": f"{model.state_bytes(known, size, BUCKETS_OF_A_DAY) / GIGA:.0f}",
        "state_most": f"{model.state_bytes(known, size, BUCKETS_AT_MOST) / GIGA:.0f}",
        "load_new": _time(model.load_s(known, size, 1)),
        "load_day": _time(model.load_s(known, size, BUCKETS_OF_A_DAY)),
        "load_most": _time(model.load_s(known, size, BUCKETS_AT_MOST)),
        "received": f"{model.flow(known, size, 'received') / GIGA:.1f}",
        "sent": f"{sent / GIGA:.0f}",
        "sent_each": f"{sent / size.gateways / GIGA:.1f}",
        "server_cpu": f"{model.flow(known, size, 'server_cpu_s'):,.0f}",
        "share": f"{model.gateway_share(known, size):.0f}",
        "commits": f"{model.commits_per_s(known, size):.0f}",
        "folds": f"{model.folds_per_s(known, size):.0f}",
        "fold_mb": f"{model.fold_bytes(known, size) / MILLION:.0f}",
        "folding": f"{model.folding_bytes_per_s(known, size) / GIGA:.1f}",
        "folding_cores": f"{model.folding_cores(known, size):.0f}",
        "candidates_share": f"{known.candidate * size.models / model.call_bytes(known, size.models):.0%}",
        "half": f"{model.calls_followed_per_s(known, size.models, 0.5):,.0f}",
        "apart": f"{model.gateway_share(known, apart):.1f}",
        "per_key": f"{size.own_per_s / size.segments / size.models:g}",
        "first": limits(known)[0][0],
    }


def _away(figures: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    one, many = figures["1"], figures["16"]
    return {
        "away_events": f"{many['events']:,.0f}",
        "away_reading": f"{many['reading_sent'] / MILLION:.0f} MB, {many['reading_cpu_s']:.1f} s of CPU",
        "away_one": f"{one['taking_sent'] / MILLION:.0f} MB, {one['taking_cpu_s']:.1f} s",
        "away_many": f"{many['taking_sent'] / MILLION:.0f} MB, {many['taking_cpu_s']:.1f} s",
    }


def _checks(found: Iterable[Check]) -> str:
    rows = ((one.what, _short(one.paper), _short(one.measured), f"{one.ratio:.2f}", f"{one.within:g}") for one in found)
    return _table(("", "paper", "measured", "paper / measured", "may differ by a factor of"), rows)


def _advised(known: Constants) -> str:
    head = (
        "calls/s",
        "gateways",
        "segments x models",
        "`retention_s`",
        "servers of 64 GB",
        "held",
        "of a gateway's core",
    )
    return _table((*head, "staleness p50, p99", "load at the start"), (_advice(known, one) for one in advised(known)))


def _advice(known: Constants, one: Need) -> tuple[str, ...]:
    size = one.size
    ages = [model.staleness_s(known, size, chance) for chance in (0.5, 0.99)]
    return (
        f"{size.calls_per_s:,.0f}",
        f"{size.gateways}",
        f"{size.segments} x {size.models}",
        f"{one.kept_days * DAY_S or 3_600:,.0f}".replace(",", "_"),
        "one" if size.partitions == 1 else f"a Cluster of {max(one.masters, 3)}",
        f"{(one.log + one.state) / GIGA:,.0f} GB",
        f"{one.share:.1%}",
        f"{ages[0]:.2f} s, {ages[1]:.2f} s",
        _time(model.load_s(known, size, BUCKETS_AT_MOST)),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
