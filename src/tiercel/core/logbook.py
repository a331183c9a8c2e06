"""The rules of the log, the same for every store: when an id is used again, and when a rating revises another.

Time orders the ratings of one decision by one source, so that it does not matter which of two arrives first: the
newest is in force. Of two within a millisecond, which clocks do not tell apart, the later arrival is the newer; it is
put a microsecond after the other, so that everyone who looks at the times comes to the same conclusion.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Rating, StandingChange

Rater = tuple[str, str]
"""Who has one rating in force of what: (decision_id, source)."""

YOUNG_LOG = 10_000
"""A log to which no more events were appended, and nothing else done, may be the successor of one that is gone."""

_TICK = timedelta(microseconds=1)
_SAME_MOMENT = timedelta(milliseconds=1)


def rater(event: Feedback) -> Rater | None:
    """Whose earlier rating this one revises; None if it rates no decision and so stands alone."""
    return (event.decision_id, event.source) if event.decision_id else None


def revise(event: Feedback, in_force: Feedback | None) -> tuple[Feedback, bool]:
    """The rating as it is logged, and whether it is in force now.

    `in_force` is the newest rating logged before by the same `rater`. A rating older than that takes itself back, so
    that only the newest counts, in whatever order they arrive. (What was learned of another segment stays: a decision
    belongs to one.)
    """
    if in_force is None:
        return (event if event.replaces is None else replace(event, replaces=None)), True
    at, newest_at = event.recorded_at, in_force.recorded_at
    if at <= newest_at - _SAME_MOMENT:
        return replace(event, replaces=_rating(event)), False
    at = max(at, newest_at + _TICK)
    taken_back = _rating(in_force) if in_force.segment == event.segment else None
    return replace(event, recorded_at=at, replaces=taken_back), True


def _rating(event: Feedback) -> Rating:
    return Rating(event.quality, event.recorded_at, event.tier, event.model, event.label)


def conflicts(event: Event, logged: Event) -> bool:
    """Whether `event` has the id of `logged` but says something else. Only feedback carries ids of the caller's."""
    if not (isinstance(event, Feedback) and isinstance(logged, Feedback)):
        return False
    return _said(event) != _said(logged)


def _said(event: Feedback) -> tuple[object, ...]:
    """What makes two ratings the same: what the caller said, not when it was received.

    Segment, tier and model of a decision's rating are no words of the caller's: a later answer may change them.
    """
    subject = (event.decision_id,) if event.decision_id else (event.segment, event.tier, event.model)
    return (subject, event.source, event.quality, dict(event.metadata))


def event_time(event: Event) -> datetime:
    """When an event happened."""
    if isinstance(event, Decision):
        return event.decided_at
    if isinstance(event, StandingChange):
        return event.changed_at
    return event.recorded_at


def day_start(at: datetime) -> datetime:
    """Midnight UTC of that day: the log is trimmed by whole days."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
