"""Events as rows of flat tables, and back: an event that was read from a log comes back equal.

What is "" in an event where it is not known is null in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from tiercel.core.logbook import event_time
from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import Event, Feedback, Label, Outcome, Rating, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.domain.request import Segment

Row = dict[str, Any]

CANDIDATE = ("model", *Candidate._fields[1:])
"""The columns of a candidate, in the order of its fields."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_LABEL = Label()
_MICROSECOND = timedelta(microseconds=1)


class Kind(NamedTuple):
    """A table, the events that are its rows, and the way there and back.

    Rows to write have datetimes; rows that were read have microseconds since the epoch.
    """

    table: str
    of: type[Event]
    row: Callable[[Any], Row]
    event: Callable[[Mapping[str, Any]], Event]


def day_of(event: Event) -> str:
    """The UTC day on which an event happened, like 2026-01-31."""
    return event_time(event).astimezone(UTC).date().isoformat()


def _decision_row(decision: Decision) -> Row:
    return {
        "decision_id": decision.id,
        "decided_at": decision.decided_at,
        **_place(decision.segment),
        "agent_id": decision.agent_id or None,
        "session_id": decision.session_id or None,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "model": decision.model,
        "tier": decision.tier,
        "propensity": decision.propensity,
        "greedy": decision.greedy,
        "reason": decision.proposal.reason,
        "candidates": [dict(zip(CANDIDATE, candidate, strict=True)) for candidate in decision.proposal.candidates],
        "details": list(decision.proposal.details.items()),
        "requires": decision.requires,
        "features": list(decision.features.items()),
        "vector": decision.vector,
        "basis": decision.basis or None,
        "will_judge": decision.will_judge,
        "judge_rate": decision.judge_rate,
        "degraded": decision.degraded,
    }


def _decision(row: Mapping[str, Any]) -> Decision:
    candidates = tuple(Candidate(*(candidate[name] for name in CANDIDATE)) for candidate in row["candidates"])
    return Decision(
        id=row["decision_id"],
        decided_at=_time(row["decided_at"]),
        segment=tuple(row["segment"]),
        policy=row["policy"],
        policy_version=row["policy_version"],
        model=row["model"],
        tier=row["tier"],
        propensity=row["propensity"],
        proposal=Proposal(candidates, row["greedy"], row["reason"], dict(row["details"])),
        agent_id=row["agent_id"] or "",
        session_id=row["session_id"] or "",
        requires=tuple(row["requires"]),
        features=dict(row["features"]),
        degraded=row["degraded"],
        vector=tuple(row["vector"]),
        basis=row["basis"] or "",
        will_judge=row["will_judge"],
        judge_rate=row["judge_rate"],
    )


def _outcome_row(outcome: Outcome) -> Row:
    return {
        "decision_id": outcome.decision_id,
        "recorded_at": outcome.recorded_at,
        **_place(outcome.segment),
        "agent_id": outcome.agent_id or None,
        "model": outcome.model,
        "tier": outcome.tier,
        "success": outcome.success,
        "error": outcome.error or None,
        "latency_ms": outcome.latency_ms,
        "first_token_ms": outcome.first_token_ms,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "usage_estimated": outcome.usage_estimated,
        "cost_usd": outcome.cost_usd,
        "fallback_from": outcome.fallback_from or None,
        "match_score": outcome.match_score,
        "completion_id": outcome.completion_id or None,
        "label": _label_row(outcome.label),
    }


def _outcome(row: Mapping[str, Any]) -> Outcome:
    return Outcome(
        decision_id=row["decision_id"],
        recorded_at=_time(row["recorded_at"]),
        segment=tuple(row["segment"]),
        model=row["model"],
        tier=row["tier"],
        success=row["success"],
        latency_ms=row["latency_ms"],
        first_token_ms=row["first_token_ms"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cost_usd=row["cost_usd"],
        usage_estimated=row["usage_estimated"],
        error=row["error"] or "",
        fallback_from=row["fallback_from"] or "",
        agent_id=row["agent_id"] or "",
        match_score=row["match_score"],
        completion_id=row["completion_id"] or "",
        label=_label(row["label"]),
    )


def _feedback_row(feedback: Feedback) -> Row:
    replaces = feedback.replaces
    return {
        "feedback_id": feedback.id,
        "decision_id": feedback.decision_id or None,
        "recorded_at": feedback.recorded_at,
        **_place(feedback.segment),
        "model": feedback.model or None,
        "tier": feedback.tier,
        "quality": feedback.quality,
        "source": feedback.source or None,
        "metadata": _json(feedback.metadata),
        "clamped": feedback.clamped,
        "replaces": replaces and {**_members(replaces), "label": _label_row(replaces.label)},
        "label": _label_row(feedback.label),
    }


def _feedback(row: Mapping[str, Any]) -> Feedback:
    old = row["replaces"]
    replaces = old and Rating(
        old["quality"], _time(old["recorded_at"]), old["tier"], old["model"], _label(old["label"])
    )
    return Feedback(
        id=row["feedback_id"],
        recorded_at=_time(row["recorded_at"]),
        segment=tuple(row["segment"]),
        tier=row["tier"],
        quality=row["quality"],
        model=row["model"] or "",
        decision_id=row["decision_id"] or "",
        source=row["source"] or "",
        metadata=_from_json(row["metadata"]),
        replaces=replaces,
        clamped=row["clamped"],
        label=_label(row["label"]),
    )


def _standing_row(standing: StandingChange) -> Row:
    return {
        "changed_at": standing.changed_at,
        **_place(standing.segment),
        "policy": standing.policy,
        "previous": standing.previous or None,
        "current": standing.current or None,
        "reason": standing.reason,
        "confidence": standing.confidence,
        "revision": standing.revision,
        "evidence": _json(standing.evidence),
    }


def _standing(row: Mapping[str, Any]) -> StandingChange:
    return StandingChange(
        changed_at=_time(row["changed_at"]),
        segment=tuple(row["segment"]),
        policy=row["policy"],
        previous=row["previous"] or "",
        current=row["current"] or "",
        reason=row["reason"],
        confidence=row["confidence"],
        revision=row["revision"],
        evidence=_from_json(row["evidence"]),
    )


def _alert_row(alert: Alert) -> Row:
    return {**_members(alert), **_place(alert.segment), "rule": alert.rule or None}


def _alert(row: Mapping[str, Any]) -> Alert:
    return Alert(
        alert_id=row["alert_id"],
        timestamp=_time(row["timestamp"]),
        severity=Severity(row["severity"]),
        alert_type=AlertType(row["alert_type"]),
        message=row["message"],
        model_id=row["model_id"],
        segment=tuple(row["segment"]),
        rule=row["rule"] or "",
        metric_value=row["metric_value"],
        threshold_value=row["threshold_value"],
        resolved_at=None if row["resolved_at"] is None else _time(row["resolved_at"]),
    )


def _plain_row(done: Acknowledgement | Notice) -> Row:
    return _members(done)


def _plain(of: type[Acknowledgement | Notice]) -> Callable[[Mapping[str, Any]], Event]:
    """The way back for records that are rows as they are."""
    names = [name for name in of.__dataclass_fields__ if name != "recorded_at"]
    return lambda row: of(recorded_at=_time(row["recorded_at"]), **{name: row[name] for name in names})


def _signal_row(signal: Signal) -> Row:
    return {
        "signal_id": signal.id,
        "recorded_at": signal.recorded_at,
        "from_agent": signal.from_agent,
        "to_agent": signal.to_agent or None,
        "name": signal.name,
        "payload": _json(signal.payload),
    }


def _signal(row: Mapping[str, Any]) -> Signal:
    return Signal(
        id=row["signal_id"],
        recorded_at=_time(row["recorded_at"]),
        from_agent=row["from_agent"],
        to_agent=row["to_agent"] or "",
        name=row["name"],
        payload=_from_json(row["payload"]),
    )


KINDS = (
    Kind("decisions", Decision, _decision_row, _decision),
    Kind("outcomes", Outcome, _outcome_row, _outcome),
    Kind("feedback", Feedback, _feedback_row, _feedback),
    Kind("standings", StandingChange, _standing_row, _standing),
    Kind("alerts", Alert, _alert_row, _alert),
    Kind("acknowledgements", Acknowledgement, _plain_row, _plain(Acknowledgement)),
    Kind("notices", Notice, _plain_row, _plain(Notice)),
    Kind("signals", Signal, _signal_row, _signal),
)
"""Every table."""
KIND_OF: Mapping[type[Event], Kind] = {kind.of: kind for kind in KINDS}


def _place(segment: Segment) -> Row:
    """The segment, and its workflow and stage where it is a stage."""
    workflow, stage = segment[1:3] if segment[:1] == ("stage",) else (None, None)
    return {"segment": segment, "workflow": workflow, "stage": stage}


def _members(record: Any) -> Row:  # noqa: ANN401 - any dataclass
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _label_row(label: Label) -> Row | None:
    return None if label == _NO_LABEL else _members(label)


def _label(row: Mapping[str, Any] | None) -> Label:
    return Label(**{**row, "vector": tuple(row["vector"]), "arm": row["arm"] or ""}) if row else _NO_LABEL


def _json(values: Mapping[str, Any]) -> str | None:
    return msgspec.json.encode(dict(values)).decode() if values else None


def _from_json(text: str | None) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.json.decode(text) if text else {}
    return values


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
