"""Wanted changes and the audit log as JSON values."""

from __future__ import annotations

from typing import Any

from tiercel.apps.gateway import records
from tiercel.core.changes.comparison import Comparison
from tiercel.core.changes.steps import change_of
from tiercel.domain.changes import AUTOMATIC, GATE, Change
from tiercel.domain.events import StandingChange
from tiercel.services.assigning.assignments import POLICY as ASSIGNMENT
from tiercel.services.attending.attendance import POLICY as AGENT_STATUS

_OF_PEOPLE = (ASSIGNMENT, AGENT_STATUS)
"""Changes that are made on request; the log does not say on whose."""


def approval(change: Change, compared: Comparison | None) -> dict[str, Any]:
    """A wanted change, what became of it, and while it rolls out how the new one compares with the old."""
    return {
        "object": "approval",
        "id": change.id,
        **records.segment(change.segment),
        "policy": change.policy,
        "from": change.previous,
        "to": change.current,
        "reason": change.reason,
        "confidence": change.confidence,
        "evidence": dict(change.evidence),
        "status": change.status,
        "status_reason": change.step_reason,
        "status_since": records.time(change.stepped_at),
        "requested_at": records.time(change.requested_at),
        "expires_at": records.time(change.expires_at),
        "decided_by": change.decided_by or None,
        "decided_at": records.time(change.decided_at),
        "note": change.note or None,
        "rollout": change.rollout,
        "share": change.share,
        "interval": list(compared.interval) if compared else None,
        "ratings": {"old": compared.old.number, "new": compared.new.number} if compared else None,
        "quality": {"old": compared.old.mean, "new": compared.new.mean} if compared else None,
    }


def change(made: StandingChange) -> dict[str, Any]:
    """An entry of the audit log: what changed, when, why, on what evidence, by whom (None: the log does not say)."""
    by = None if made.policy in _OF_PEOPLE else AUTOMATIC
    step = change_of(made) if made.policy == GATE else None
    return {
        "object": "change",
        "kind": records.kind_of(made),
        "by": step.actor if step else by,
        "approval_id": step.id if step else None,
        "status": step.status if step else None,
        **records.standing(made),
    }
