"""Quality ratings of a workflow's stages: one rating, the figures of many, and the advice drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from numbers import Real
from typing import Any

from tiercel.domain.errors import InvalidInput, Problem

ALL_TIERS = "all"
"""The `tier` of statistics over every tier."""


def as_quality(value: object) -> float | None:
    """`value` as a quality, or None if it is not a number in 0..1 (NaN, booleans and text included)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    # compared before it is converted: an integer too large for a float is out of range, not an error
    return float(value) if value <= 1 and not value < 0 else None


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """One quality rating of a stage served by a tier.

    `quality_score` is in 0..1; `timestamp` is aware UTC (a naive one is read as UTC, another zone is converted);
    `metadata` is what the caller gave.
    """

    feedback_id: str
    workflow_name: str
    stage_name: str
    tier: str
    quality_score: float
    timestamp: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at = self.timestamp
        object.__setattr__(self, "timestamp", at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))

    def to_dict(self) -> dict[str, Any]:
        """As plain values; the timestamp in ISO 8601 with its offset."""
        return {
            "feedback_id": self.feedback_id,
            "workflow_name": self.workflow_name,
            "stage_name": self.stage_name,
            "tier": self.tier,
            "quality_score": self.quality_score,
            "timestamp": self.timestamp.isoformat(),
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeedbackEntry:
        """The inverse of `to_dict`; further keys are ignored, `metadata` may be absent.

        Raises `InvalidInput` with every problem.
        """
        names = ("feedback_id", "workflow_name", "stage_name", "tier")
        problems = [
            Problem(name, "must be a string", repr(data.get(name))[:80], "type" if name in data else "missing")
            for name in names
            if not isinstance(data.get(name), str)
        ]
        quality = as_quality(data.get("quality_score"))
        if quality is None:
            found = repr(data.get("quality_score"))[:80]
            problems.append(Problem("quality_score", "must be a number in 0..1", found, "range"))
        timestamp = _time(data.get("timestamp"))
        if timestamp is None:
            found = repr(data.get("timestamp"))[:80]
            problems.append(Problem("timestamp", "must be a time in ISO 8601", found, "type"))
        metadata = data.get("metadata") or {}
        if not isinstance(metadata, Mapping):
            problems.append(Problem("metadata", "must be a mapping", repr(metadata)[:80], "type"))
        if problems or quality is None or timestamp is None:
            raise InvalidInput(problems)
        feedback_id, workflow_name, stage_name, tier = (str(data[name]) for name in names)
        return cls(feedback_id, workflow_name, stage_name, tier, quality, timestamp, dict(metadata))


@dataclass(frozen=True, slots=True)
class QualityStats:
    """The newest ratings of a stage (of one tier, or `ALL_TIERS`) in figures.

    Qualities are in 0..1; `sample_count` is how many ratings the figures are made of; `recent_trend` in -1..1 is the
    change of the newer half against the older, relative to the older.
    """

    workflow_name: str
    stage_name: str
    tier: str
    avg_quality: float
    min_quality: float
    max_quality: float
    sample_count: int
    recent_trend: float


@dataclass(frozen=True, slots=True)
class TierRecommendation:
    """Which tier should serve a stage, how sure that is (0..1), why, and each rated tier's figures."""

    current_tier: str
    recommended_tier: str
    confidence: float
    reason: str
    stats: Mapping[str, QualityStats] = field(default_factory=dict)


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) else None
