"""The steps of a wanted change, each a standing change under the name `GATE`, whose revision counts them.

A store takes one event of a revision, so of two who make the next step at the same time one has made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tiercel.domain.changes import AUTOMATIC, GATE, Change, ChangeStatus
from tiercel.domain.events import StandingChange

_END: frozenset[ChangeStatus] = frozenset()
TRANSITIONS: Mapping[ChangeStatus | None, frozenset[ChangeStatus]] = {
    None: frozenset({ChangeStatus.PENDING, ChangeStatus.ROLLING}),
    ChangeStatus.PENDING: frozenset({ChangeStatus.APPROVED, ChangeStatus.REJECTED, ChangeStatus.EXPIRED}),
    ChangeStatus.APPROVED: frozenset({ChangeStatus.ROLLING, ChangeStatus.DONE, ChangeStatus.ROLLED_BACK}),
    ChangeStatus.ROLLING: frozenset({ChangeStatus.ROLLING, ChangeStatus.DONE, ChangeStatus.ROLLED_BACK}),
    ChangeStatus.REJECTED: _END,
    ChangeStatus.EXPIRED: _END,
    ChangeStatus.DONE: _END,
    ChangeStatus.ROLLED_BACK: _END,
}
"""What may follow what; None is before the first step. A change that applies once approved ends there."""


def allowed(change: Change, status: ChangeStatus) -> bool:
    """Whether `status` may be the next of this change."""
    return change.under_way and status in TRANSITIONS[change.status]


def requested(
    wanted: StandingChange,
    last: StandingChange | None,
    now: datetime,
    *,
    approval: bool,
    rollout: bool,
    timeout_s: float,
) -> Change:
    """The first step of a change that a policy wants; `last` is the segment's newest step before it.

    A change that needs no approval is rolled out: give it a share with `begun`.
    """
    revision = last.revision + 1 if last else 1
    return Change(
        id=_id_of(wanted, revision),
        segment=wanted.segment,
        policy=wanted.policy,
        previous=wanted.previous,
        current=wanted.current,
        reason=wanted.reason,
        confidence=wanted.confidence,
        wanted=wanted.revision,
        revision=revision,
        status=ChangeStatus.PENDING if approval else ChangeStatus.ROLLING,
        rollout=rollout,
        requested_at=now,
        stepped_at=now,
        step_reason=f"waits for approval: {wanted.reason}" if approval else "",
        actor=AUTOMATIC,
        evidence=dict(wanted.evidence),
        expires_at=now + timedelta(seconds=timeout_s) if approval else None,
    )


def stepped(
    change: Change, status: ChangeStatus, now: datetime, reason: str, *, actor: str = AUTOMATIC, note: str = ""
) -> Change:
    """The same change one step further. Raises `ValueError` for a step that is not in `TRANSITIONS`."""
    if not allowed(change, status):
        raise ValueError(f"a change that is {change.status} cannot become {status}")
    further = replace(
        change, status=status, revision=change.revision + 1, stepped_at=now, step_reason=reason, actor=actor
    )
    automatic = actor == AUTOMATIC and status in (ChangeStatus.ROLLING, ChangeStatus.DONE)
    if automatic:  # goes on as was decided: who decided it stays
        return further
    return replace(further, decided_by=actor, decided_at=now, note=note)


def expired(change: Change) -> Change:
    """The same, over since its time was: nobody answered. The same in every process that concludes so."""
    at = change.expires_at or change.stepped_at
    return stepped(change, ChangeStatus.EXPIRED, at, "nobody answered in time, which counts as a rejection")


def event_of(change: Change) -> StandingChange:
    """The step as it is logged."""
    return StandingChange(
        changed_at=change.stepped_at,
        segment=change.segment,
        policy=GATE,
        previous=change.previous,
        current=change.current,
        reason=change.step_reason,
        confidence=change.confidence,
        revision=change.revision,
        evidence={
            "id": change.id,
            "status": str(change.status),
            "policy": change.policy,
            "why": change.reason,
            "wanted": change.wanted,
            "rollout": change.rollout,
            "requested_at": change.requested_at.isoformat(),
            "expires_at": _iso(change.expires_at),
            "actor": change.actor,
            "decided_by": change.decided_by,
            "decided_at": _iso(change.decided_at),
            "note": change.note,
            "share": change.share,
            "alpha": change.alpha,
            "evidence": dict(change.evidence),
        },
    )


def change_of(step: StandingChange) -> Change:
    """The change whose newest step that is."""
    told: Mapping[str, Any] = step.evidence
    return Change(
        id=told["id"],
        segment=step.segment,
        policy=told["policy"],
        previous=step.previous,
        current=step.current,
        reason=told["why"],
        confidence=step.confidence,
        wanted=told["wanted"],
        revision=step.revision,
        status=ChangeStatus(told["status"]),
        rollout=told["rollout"],
        requested_at=datetime.fromisoformat(told["requested_at"]),
        stepped_at=step.changed_at,
        step_reason=step.reason,
        actor=told["actor"],
        evidence=told["evidence"],
        expires_at=_time(told["expires_at"]),
        decided_by=told["decided_by"],
        decided_at=_time(told["decided_at"]),
        note=told["note"],
        share=told["share"],
        alpha=told["alpha"],
    )


def wanted_of(change: Change) -> StandingChange:
    """The change itself as it is logged once it applies: the same in every process that concludes so."""
    return StandingChange(
        changed_at=change.stepped_at,
        segment=change.segment,
        policy=change.policy,
        previous=change.previous,
        current=change.current,
        reason=change.reason,
        confidence=change.confidence,
        revision=change.wanted,
        evidence=change.evidence,
    )


def _id_of(wanted: StandingChange, revision: int) -> str:
    subject = json.dumps([wanted.segment, revision])
    return f"change_{hashlib.sha256(subject.encode()).hexdigest()[:24]}"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
