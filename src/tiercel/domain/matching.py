"""How well a model suits an agent, before and after experience, and who is given which model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityMatch:
    """How well a model's declared capabilities meet an agent's needs.

    `match_score` is in 0..100. A capability is matched when the model's strength in it is above 0. `overlap` holds
    the matched ones, required before preferred, each once; the counts are over the agent's lists as given.
    `excluded` says that the agent demands all it requires (`require_all`) and the model lacks some: the score is 0.
    """

    agent_id: str
    model_id: str
    match_score: float
    overlap: tuple[str, ...]
    missing_required: tuple[str, ...]
    required_matched: int
    required_total: int
    preferred_matched: int
    preferred_total: int
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Penalty:
    """A factor in 0..1 that a score was multiplied with, and a stable word for why."""

    kind: str
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveScore:
    """A capability score corrected by what the model's calls did. Scores are in 0..100.

    `performance_score` is the final figure, after `penalties`; `performance_adjustment` is it minus
    `capability_score`. `has_performance_data` says whether there were requests enough to correct anything.
    `success_rate` is None without a request; `avg_latency_ms`, over successful calls, is None without a success.
    """

    capability_score: float
    performance_score: float
    performance_adjustment: float
    has_performance_data: bool
    success_rate: float | None = None
    avg_latency_ms: float | None = None
    penalties: tuple[Penalty, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentDecision:
    """An agent is given a model, by which `method`, and the scores that spoke for it (see `AdaptiveScore`)."""

    agent_id: str
    agent_name: str
    model_id: str
    model_name: str
    capability_score: float
    performance_score: float
    performance_adjustment: float
    has_performance_data: bool
    success_rate: float | None
    avg_latency_ms: float | None
    penalties: tuple[Penalty, ...]
    method: str
    overlap: tuple[str, ...]
    missing_required: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values under the fields' names, ready for JSON."""
        plain = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
