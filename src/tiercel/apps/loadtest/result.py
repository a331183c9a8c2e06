"""The figures of a load test: in all, in windows of time, and what the gateway raised alerts about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tiercel.apps.loadtest.settings import LoadSettings
from tiercel.apps.loadtest.traffic import Sent, Traffic

WINDOWS = 50
_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of answers, in ms; None without one."""

    p50: float | None
    p95: float | None
    p99: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class Window:
    """The requests due in [start_s, end_s): how many, how many failed, and each model's share of the answers."""

    start_s: float
    end_s: float
    requests: int
    failures: int
    latency_ms: Latency
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert of the gateway, in seconds since the start; `resolved_s` is None where it was active at the end."""

    kind: str
    severity: str
    model: str
    stage: str
    rule: str
    message: str
    raised_s: float
    resolved_s: float | None

    @property
    def incident(self) -> tuple[str, ...]:
        """What it is about, and how bad."""
        return self.kind, self.severity, self.model, self.stage, self.rule


@dataclass(frozen=True, slots=True)
class Spell:
    """What a stretch of the test between two of the scenario's marks was like."""

    name: str
    start_s: float
    end_s: float
    requests: int
    failures: int
    latency_ms: Latency
    shares: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Everything found. `breaches` are failed requests and ratings of the storm: what alerts were raised about."""

    settings: LoadSettings
    took_s: float
    requests: int
    failures: int
    statuses: dict[str, int]
    unsent: int
    rated: int
    unrated: int
    breaches: int
    throughput_per_s: float
    latency_ms: Latency
    shares: dict[str, float]
    spells: tuple[Spell, ...]
    windows: tuple[Window, ...]
    alerts: tuple[Raised, ...]
    memory: tuple[tuple[float, int], ...]

    @property
    def most_alerts_of_an_incident(self) -> int:
        """How often the same was raised in the same severity."""
        return max(Counter(alert.incident for alert in self.alerts).values(), default=0)

    def json(self) -> dict[str, Any]:
        """As plain values."""
        settings = {**asdict(self.settings), "picture": None}
        plain = asdict(self) | {
            "settings": {name: value for name, value in settings.items() if name not in {"picture", "key_env"}},
            "most_alerts_of_an_incident": self.most_alerts_of_an_incident,
            "memory": [{"at_s": round(at_s, 3), "bytes": held} for at_s, held in self.memory],
        }
        rounded: dict[str, Any] = _rounded(plain)
        return rounded


def result_of(
    settings: LoadSettings, traffic: Traffic, alerts: Sequence[dict[str, Any]], began_at: datetime, took_s: float
) -> LoadResult:
    """What came of a load. `alerts` are the gateway's, of which those count that were raised since `began_at`."""
    sent = sorted(traffic.sent, key=lambda one: one.at_s)
    failures = sum(not one.reply.success for one in sent)
    answered_until_s = max((one.at_s + one.latency_ms / 1_000 for one in sent), default=0.0)
    raised = [_raised(alert, began_at) for alert in alerts]
    return LoadResult(
        settings=settings,
        took_s=took_s,
        requests=len(sent),
        failures=failures,
        statuses={str(status): n for status, n in sorted(Counter(one.reply.status for one in sent).items())},
        unsent=traffic.unsent,
        rated=traffic.rated,
        unrated=traffic.unrated,
        breaches=failures + traffic.storm_ratings,
        throughput_per_s=len(sent) / answered_until_s if answered_until_s else 0.0,
        latency_ms=_latency(sent),
        shares=_shares(sent),
        spells=_spells(settings, sent),
        windows=_windows(settings, sent),
        alerts=tuple(sorted((one for one in raised if one.raised_s >= 0), key=lambda one: one.raised_s)),
        memory=tuple(traffic.memory),
    )


def _windows(settings: LoadSettings, sent: Sequence[Sent]) -> tuple[Window, ...]:
    width_s = settings.lasts_s / WINDOWS
    found = []
    for i in range(WINDOWS):
        start_s, end_s = i * width_s, (i + 1) * width_s
        within = [one for one in sent if start_s <= one.at_s < end_s]
        found.append(Window(start_s, end_s, *_figures(within)))
    return tuple(found)


def _spells(settings: LoadSettings, sent: Sequence[Sent]) -> tuple[Spell, ...]:
    marks = settings.load.marks
    if not marks:
        return ()
    names = ["before", *marks]
    bounds = [0.0, *(part * settings.lasts_s for part in marks.values()), settings.lasts_s]
    spells = []
    for name, (start_s, end_s) in zip(names, pairwise(bounds), strict=True):
        within = [one for one in sent if start_s <= one.at_s < end_s]
        spells.append(Spell(name, start_s, end_s, *_figures(within)))
    return tuple(spells)


def _figures(sent: Sequence[Sent]) -> tuple[int, int, Latency, dict[str, float]]:
    return len(sent), sum(not one.reply.success for one in sent), _latency(sent), _shares(sent)


def _latency(sent: Sequence[Sent]) -> Latency:
    taken = sorted(one.latency_ms for one in sent if one.reply.success)
    if not taken:
        return Latency(None, None, None, None)
    p50, p95, p99 = (taken[min(int(q * len(taken)), len(taken) - 1)] for q in _QUANTILES)
    return Latency(p50, p95, p99, taken[-1])


def _shares(sent: Sequence[Sent]) -> dict[str, float]:
    served = Counter(one.reply.model for one in sent if one.reply.success)
    return {model: count / served.total() for model, count in sorted(served.items())}


def _raised(alert: dict[str, Any], began_at: datetime) -> Raised:
    def since(at: str) -> float:
        return (datetime.fromisoformat(at) - began_at).total_seconds()

    resolved_at = alert.get("resolved_at")
    return Raised(
        kind=alert["alert_type"],
        severity=alert["severity"],
        model=alert.get("model_id") or "",
        stage="/".join((alert.get("segment") or [])[1:]),
        rule=alert.get("rule") or "",
        message=alert["message"],
        raised_s=since(alert["timestamp"]),
        resolved_s=since(resolved_at) if resolved_at else None,
    )


def _rounded(value: Any) -> Any:  # noqa: ANN401 - plain values
    """With six digits after the point: more would be noise."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(held) for name, held in value.items()}
    return [_rounded(held) for held in value] if isinstance(value, list | tuple) else value
