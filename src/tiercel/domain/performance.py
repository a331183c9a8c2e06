"""What models' calls did, in figures: for a model, an agent, or everything; over all time or a recent window.

A figure that nothing was measured for is None, never 0. Latencies are in ms, from sending a call to the end of its
answer, over successful calls only; quantiles are within 1 % of the value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tiercel.domain.errors import InvalidInput, Problem

_HOUR_S = 3600.0


class TimeRange(StrEnum):
    """The windows that figures are offered for."""

    LAST_HOUR = "last_hour"
    LAST_24_HOURS = "last_24_hours"
    LAST_7_DAYS = "last_7_days"
    LAST_30_DAYS = "last_30_days"

    @property
    def window_s(self) -> float:
        """How far back it reaches."""
        return _WINDOWS_S[self]

    @classmethod
    def parse(cls, name: str) -> TimeRange:
        """The range of that name. Raises `InvalidInput` with the allowed ones."""
        if name not in tuple(cls):
            raise InvalidInput([Problem("time_range", f"must be one of {', '.join(cls)}", repr(name)[:80], "unknown")])
        return cls(name)


_WINDOWS_S = {
    TimeRange.LAST_HOUR: _HOUR_S,
    TimeRange.LAST_24_HOURS: 24 * _HOUR_S,
    TimeRange.LAST_7_DAYS: 7 * 24 * _HOUR_S,
    TimeRange.LAST_30_DAYS: 30 * 24 * _HOUR_S,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMetrics:
    """How long successful calls took, in ms; `count` of them. Without one the others are None."""

    min: float | None = None
    max: float | None = None
    avg: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain values under the fields' names."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessMetrics:
    """How many calls were made and how many succeeded; the rate is in 0..1, None without a call."""

    total_requests: int = 0
    successful_requests: int = 0
    failed_requests: int = 0
    success_rate: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values under the fields' names."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMetrics:
    """Everything measured of some calls.

    `avg_match_score` (0..100) is over the calls chosen with a known capability match; tokens and `cost_usd` are sums
    over the calls that reported them, and the cost is None where none did.
    """

    success: SuccessMetrics
    latency: LatencyMetrics
    avg_match_score: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None

    @property
    def total_requests(self) -> int:
        """Calls, failed ones too."""
        return self.success.total_requests

    @property
    def success_rate(self) -> float | None:
        """0..1, or None without a call."""
        return self.success.success_rate

    @property
    def avg_latency_ms(self) -> float | None:
        """Over successful calls, or None without one."""
        return self.latency.avg

    @property
    def total_tokens(self) -> int:
        """Of prompts and answers together."""
        return self.prompt_tokens + self.completion_tokens

    def to_dict(self) -> dict[str, Any]:
        """As plain values: the fields, with those of `success` and the means beside them."""
        plain = asdict(self)
        return {**plain.pop("success"), "avg_latency_ms": self.avg_latency_ms, **plain}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetrics(CallMetrics):
    """Everything measured of one model's calls."""

    model_id: str

    @property
    def merit(self) -> float | None:
        """What models are ranked by: success rate times mean match score (0..100); None where either is unknown."""
        if self.success_rate is None or self.avg_match_score is None:
            return None
        return self.success_rate * self.avg_match_score

    def summary(self) -> dict[str, Any]:
        """The line of a ranking."""
        return {
            "model_id": self.model_id,
            "total_requests": self.total_requests,
            "success_rate": self.success_rate,
            "avg_latency_ms": self.avg_latency_ms,
            "avg_match_score": self.avg_match_score,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMetrics(CallMetrics):
    """Everything measured of the calls made for one agent."""

    agent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceReport:
    """Latency and success of all calls, and the best models."""

    latency: LatencyMetrics
    success_rate: SuccessMetrics
    top_models: tuple[ModelMetrics, ...]

    def to_dict(self) -> dict[str, Any]:
        """The published metrics JSON."""
        return {
            "latency": self.latency.to_dict(),
            "success_rate": self.success_rate.to_dict(),
            "top_models": [model.summary() for model in self.top_models],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSummary:
    """One decision and what its call did; `success` and `latency_ms` are None while nothing is known of the call.

    `model_id` is the model that answered, which a fallback may have made another than the one decided for.
    """

    decision_id: str
    timestamp: datetime
    agent_id: str
    model_id: str
    match_score: float | None = None
    latency_ms: float | None = None
    success: bool | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values under the fields' names; the timestamp in ISO 8601."""
        return {**asdict(self), "timestamp": self.timestamp.isoformat()}
