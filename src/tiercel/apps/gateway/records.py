"""Domain records as JSON values: names as in the library, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tiercel.core.beliefs.change import POLICY as DRIFT
from tiercel.core.beliefs.forgetting import METRICS
from tiercel.domain.alerts import Alert
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.changes import GATE, POLICY_SWITCH
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.domain.quality import QualityStats, TierRecommendation
from tiercel.domain.request import Segment
from tiercel.services.assigning.assignments import POLICY as ASSIGNMENT
from tiercel.services.attending.attendance import POLICY as AGENT_STATUS
from tiercel.services.attending.attendance import AgentState


def listed(data: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    """A list as OpenAI's interface has it, with what else is to be said of it."""
    return {"object": "list", "data": data, **more}


def time(at: datetime | None) -> str | None:
    """In ISO 8601."""
    return at.isoformat() if at else None


def segment(place: Segment) -> dict[str, Any]:
    """The stage or the agent that has statistics of its own, or the model that changed, everywhere or there."""
    model = {"model": place[-1]} if place[-2:-1] == ("model",) else {}
    if place[0] == "stage":
        return {"workflow": place[1], "stage": place[2], **model}
    return model if place[0] == "model" else {"agent_id": place[1], **model}


def decision(made: Decision) -> dict[str, Any]:
    """A decision with every candidate's score or exclusion reason."""
    proposal = made.proposal
    return {
        "object": "decision",
        "id": made.id,
        "decision_id": made.id,
        "decided_at": time(made.decided_at),
        "workflow": made.workflow,
        "stage": made.stage,
        "agent_id": made.agent_id,
        "session_id": made.session_id,
        "requires": list(made.requires),
        "features": dict(made.features),
        "model": made.model,
        "tier": made.tier,
        "propensity": made.propensity,
        "policy": made.policy,
        "policy_version": made.policy_version,
        "greedy": made.greedy,
        "explored": made.explored,
        "degraded": made.degraded,
        "will_judge": made.will_judge,
        "judge_rate": made.judge_rate,
        "basis": made.basis or None,
        "vector": list(made.vector),
        "reason": proposal.reason,
        "details": dict(proposal.details),
        "candidates": [
            {
                "model": c.model_id,
                "tier": c.tier,
                "probability": c.probability,
                "score": c.score,
                "quality": c.quality,
                "deviation": c.deviation,
                "cost_usd": c.cost_usd,
                "excluded": c.excluded,
            }
            for c in proposal.candidates
        ],
        "explanation": made.explain(),
    }


def outcome(seen: Outcome) -> dict[str, Any]:
    """What one model call did."""
    return {
        "decision_id": seen.decision_id,
        "recorded_at": time(seen.recorded_at),
        **segment(seen.segment),
        "model": seen.model,
        "tier": seen.tier,
        "success": seen.success,
        "latency_ms": seen.latency_ms,
        "first_token_ms": seen.first_token_ms,
        "prompt_tokens": seen.prompt_tokens,
        "completion_tokens": seen.completion_tokens,
        "cost_usd": seen.cost_usd,
        "usage_estimated": seen.usage_estimated,
        "error": seen.error,
        "fallback_from": seen.fallback_from,
        "completion_id": seen.completion_id,
        "match_score": seen.match_score,
    }


def feedback(given: Feedback) -> dict[str, Any]:
    """What was said of an answer, without its metadata and source."""
    return {
        "feedback_id": given.id,
        "recorded_at": time(given.recorded_at),
        "decision_id": given.decision_id or None,
        **segment(given.segment),
        "model": given.model or None,
        "tier": given.tier,
        "quality": given.quality,
        "revises": given.replaces is not None,
        "clamped": given.clamped,
    }


def whole_feedback(given: Feedback) -> dict[str, Any]:
    """The same with its source and metadata, for who asks for that decision."""
    return {**feedback(given), "source": given.source, "metadata": dict(given.metadata)}


def standing(change: StandingChange) -> dict[str, Any]:
    """What serves a segment from now on, and why."""
    return {
        **segment(change.segment),
        "policy": change.policy,
        "previous": change.previous or None,
        "current": change.current or None,
        "changed_at": time(change.changed_at),
        "reason": change.reason,
        "confidence": change.confidence,
        "revision": change.revision,
        "evidence": dict(change.evidence),
    }


def signal(told: Signal) -> dict[str, Any]:
    """What an agent told another, or all."""
    return {
        "signal_id": told.id,
        "recorded_at": time(told.recorded_at),
        "from_agent": told.from_agent,
        "to_agent": told.to_agent or None,
        "name": told.name,
        "payload": dict(told.payload),
    }


def acknowledgement(said: Acknowledgement) -> dict[str, Any]:
    """Who takes care of an alert."""
    return {
        "alert_id": said.alert_id,
        "acknowledged_at": time(said.recorded_at),
        "acknowledged_by": said.by,
        "note": said.note or None,
    }


def notice(told: Notice) -> dict[str, Any]:
    """How far telling a channel of an alert is."""
    return {
        "alert_id": told.alert_id,
        "recorded_at": time(told.recorded_at),
        "severity": told.severity,
        "occasion": told.occasion,
        "channel": told.channel,
        "state": told.state,
        "attempt": told.attempt,
        "error": told.error or None,
    }


_OTHER_CHANGES = {
    ASSIGNMENT: "assignment",
    GATE: "approval",
    POLICY_SWITCH: "policy_change",
    DRIFT: "drift",
    AGENT_STATUS: "agent",
    **dict.fromkeys(METRICS, "drift"),
}
_SHOWN: Mapping[type[Event], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    Decision: ("decision", decision),
    Outcome: ("outcome", outcome),
    Feedback: ("feedback", feedback),
    StandingChange: ("tier_change", standing),
    Alert: ("alert", Alert.to_dict),
    Acknowledgement: ("acknowledgement", acknowledgement),
    Notice: ("notice", notice),
    Signal: ("signal", signal),
}
EVENT_KINDS = (*(kind for kind, _ in _SHOWN.values()), *dict.fromkeys(_OTHER_CHANGES.values()))


def kind_of(happened: Event) -> str:
    """Which of `EVENT_KINDS` it is."""
    if isinstance(happened, StandingChange) and happened.policy in _OTHER_CHANGES:
        return _OTHER_CHANGES[happened.policy]
    return _SHOWN[type(happened)][0]


def event(happened: Event) -> dict[str, Any]:
    """What happened."""
    return _SHOWN[type(happened)][1](happened)


def model(profile: ModelProfile) -> dict[str, Any]:
    """A catalogue entry."""
    price = profile.price
    return {
        "model_id": profile.model_id,
        "model_name": profile.model_name,
        "provider": profile.provider or None,
        "tier": profile.tier,
        "context_length": profile.context_length,
        "capabilities": dict(profile.capabilities),
        "price_usd_per_mtok": {"input": price.input, "output": price.output} if price else None,
    }


def agent(state: AgentState) -> dict[str, Any]:
    """An agent as configured, its status now, and what it said last."""
    who, said = state.agent, state.beat
    return {
        "agent_id": who.agent_id,
        "agent_name": who.agent_name,
        "status": state.status,
        "status_reason": state.reason,
        "status_since": time(state.since),
        "configured_status": who.status,
        "heartbeat": None
        if said is None
        else {
            "status": said.status,
            "at": time(said.at),
            "age_s": state.age_s,
            "progress": said.progress,
            "metadata": dict(said.metadata),
        },
        "required": list(who.required),
        "preferred": list(who.preferred),
        "min_context_length": who.min_context_length,
        "require_all": who.require_all,
    }


def quality(stats: QualityStats) -> dict[str, Any]:
    """The newest ratings of a stage in figures."""
    return {
        "workflow": stats.workflow_name,
        "stage": stats.stage_name,
        "tier": stats.tier,
        "avg_quality": stats.avg_quality,
        "min_quality": stats.min_quality,
        "max_quality": stats.max_quality,
        "sample_count": stats.sample_count,
        "recent_trend": stats.recent_trend,
    }


def recommendation(advice: TierRecommendation) -> dict[str, Any]:
    """Which tier should serve a stage, how sure that is, and why."""
    stats: Mapping[str, QualityStats] = advice.stats
    return {
        "current_tier": advice.current_tier,
        "recommended_tier": advice.recommended_tier,
        "confidence": advice.confidence,
        "reason": advice.reason,
        "stats": {tier: quality(figures) for tier, figures in stats.items()},
    }
