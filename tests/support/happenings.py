"""Events for tests: builders with everything filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.domain.request import Segment, stage_segment
from tiercel.testing import EPOCH

REVIEW = stage_segment("review", "analysis")


def at(seconds: float) -> datetime:
    """So long after the tests' epoch."""
    return EPOCH + timedelta(seconds=seconds)


def decision(number: int, *, seconds: float = 0.0, segment: Segment = REVIEW) -> Decision:
    """A decision with every field set."""
    return Decision(
        id=f"dec_{number}",
        decided_at=at(seconds),
        segment=segment,
        policy="tier-rules",
        policy_version="1",
        model="small",
        tier="cheap",
        propensity=0.98,
        proposal=Proposal(
            (Candidate("small", "cheap", 0.98, 71.5), Candidate("large", "premium", 0.0, None, "its context is short")),
            "small",
            "serves the stage",
            {"level": 0.5},
        ),
        agent_id="agent_é",
        session_id="s",
        requires=("coding", "reasoning"),
        features={"length": 12.0},
        degraded=True,
    )


def outcome(
    number: int,
    *,
    seconds: float = 0.0,
    segment: Segment = REVIEW,
    model: str = "small",
    success: bool = True,
    latency_ms: float = 120.5,
    agent_id: str = "",
    completion_id: str = "",
) -> Outcome:
    """An outcome of that decision."""
    return Outcome(
        decision_id=f"dec_{number}",
        recorded_at=at(seconds),
        segment=segment,
        model=model,
        tier="cheap",
        success=success,
        latency_ms=latency_ms,
        first_token_ms=3.25,
        prompt_tokens=150,
        completion_tokens=80,
        cost_usd=0.000123,
        match_score=92.25,
        agent_id=agent_id,
        completion_id=completion_id,
    )


def feedback(
    feedback_id: str,
    quality: float = 0.5,
    *,
    seconds: float = 0.0,
    segment: Segment = REVIEW,
    tier: str = "cheap",
    model: str = "small",
    decision_id: str = "",
    source: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Feedback:
    """A rating."""
    return Feedback(
        id=feedback_id,
        recorded_at=at(seconds),
        segment=segment,
        tier=tier,
        quality=quality,
        model=model,
        decision_id=decision_id,
        source=source,
        metadata=metadata or {},
    )


def standing(
    revision: int, *, seconds: float = 0.0, segment: Segment = REVIEW, current: str = "large"
) -> StandingChange:
    """A change of what serves a segment."""
    return StandingChange(
        changed_at=at(seconds),
        segment=segment,
        policy="tier-rules",
        previous="small",
        current=current,
        reason="Low quality (0.65) - upgrade for better results",
        confidence=0.9,
        revision=revision,
        evidence={"mean": 0.65, "samples": 12},
    )


def alert(number: int, *, seconds: float = 0.0, resolved_s: float | None = None) -> Alert:
    """An alert as it fires, or as it is resolved."""
    return Alert(
        alert_id=f"alert_{number}",
        timestamp=at(seconds),
        severity=Severity.ERROR,
        alert_type=AlertType.MODEL_FAILURE,
        message="Model small has low success rate: 85.0%",
        model_id="small",
        metric_value=0.85,
        threshold_value=0.9,
        resolved_at=None if resolved_s is None else at(resolved_s),
    )


def signal(number: int, *, seconds: float = 0.0, from_agent: str = "gpu_1", to_agent: str = "") -> Signal:
    """What an agent tells another, or all."""
    return Signal(
        id=f"signal_{number}",
        recorded_at=at(seconds),
        from_agent=from_agent,
        name="batch done",
        to_agent=to_agent,
        payload={"ü": [1, {"x": None}], "share": 0.25},
    )


SEGMENTS: tuple[Segment, ...] = (
    *(stage_segment(workflow, stage) for workflow in ("a", "*", "a:b") for stage in ("b", "*")),
    ("agent", "a"),
)
"""Stages of workflows and an agent; a decision belongs to one."""
MODELS = ("small", "middle", "large")


def acknowledgement(number: int, *, seconds: float = 0.0, by: str = "ada") -> Acknowledgement:
    """Somebody takes care of that alert."""
    return Acknowledgement(alert_id=f"alert_{number}", recorded_at=at(seconds), by=by, note="on it")


def notice(number: int, *, seconds: float = 0.0, state: str = "claimed", claim: str = "") -> Notice:
    """A channel is told of that alert."""
    return Notice(
        channel="chat",
        subject=f'["high_latency", "model-{number}", [], ""]',
        alert_id=f"alert_{number}",
        severity="WARNING",
        occasion="fired",
        recorded_at=at(seconds),
        state=state,
        attempt=1,
        claim=claim,
        error="" if state != "failed" else "refused",
    )
