"""Events for tests: builders with everything filled in, and strategies that bring about repeats and revisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
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


SEGMENTS: tuple[Segment, ...] = (
    *(stage_segment(workflow, stage) for workflow in ("a", "*", "a:b") for stage in ("b", "*")),
    ("agent", "a"),
)
"""Stages of workflows and an agent; a decision belongs to one."""
MODELS = ("small", "middle", "large")


def ratings(numbers: st.SearchStrategy[int], seconds: st.SearchStrategy[float]) -> st.SearchStrategy[Feedback]:
    """Ratings with few ids, decisions and sources, so that ids repeat and sources change their mind."""

    def build(feedback_id: str, about: int | None, segment: Segment, **rest: Any) -> Feedback:  # noqa: ANN401
        if about is None:
            return feedback(feedback_id, segment=segment, **rest)
        return feedback(feedback_id, segment=SEGMENTS[about % len(SEGMENTS)], decision_id=f"dec_{about}", **rest)

    return st.builds(
        build,
        numbers.map("feedback_{}".format),
        st.none() | st.integers(0, 5),
        st.sampled_from(SEGMENTS),
        quality=st.sampled_from([0.0, 0.25, 0.3, 0.7, 1.0]),
        seconds=seconds,
        tier=st.sampled_from(("cheap", "capable", "premium")),
        model=st.sampled_from(("", *MODELS)),
        source=st.sampled_from(["", "user:1", "user:2"]),
    )


def outcomes(numbers: st.SearchStrategy[int], seconds: st.SearchStrategy[float]) -> st.SearchStrategy[Outcome]:
    """Outcomes of few decisions."""
    return st.builds(
        lambda number, second, segment, model, success, latency_ms, agent_id: outcome(
            number,
            seconds=second,
            segment=segment,
            model=model,
            success=success,
            latency_ms=latency_ms,
            agent_id=agent_id,
            completion_id=f"cmpl_{number}",
        ),
        numbers,
        seconds,
        st.sampled_from(SEGMENTS),
        st.sampled_from(MODELS),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 80.0, 1234.5, 1e9]),
        st.sampled_from(["", "a", "z"]),
    )


def events(*, numbers: int = 30, seconds: st.SearchStrategy[float] | None = None) -> st.SearchStrategy[Event]:
    """Anything that happens, in any order."""
    number = st.integers(0, numbers)
    second = seconds if seconds is not None else st.integers(0, 40 * 86_400).map(float)
    return st.one_of(
        ratings(number, second),
        ratings(number, second),
        outcomes(number, second),
        st.builds(lambda n, s: decision(n, seconds=s, segment=SEGMENTS[n % len(SEGMENTS)]), number, second),
        st.builds(lambda n, s: standing(n, seconds=s, segment=SEGMENTS[n % 3]), number, second),
        st.builds(lambda n, s: alert(n, seconds=s), number, second),
        st.builds(lambda n, s: alert(n, seconds=s, resolved_s=s + 1), number, second),
    )
