"""What is asked of the log without following it, in a transaction that reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from tiercel.adapters.codec import DECISION
from tiercel.adapters.sqlite_store import log_rows
from tiercel.adapters.sqlite_store.log_rows import Logged
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.events import Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.ports import DecisionRecord

_LAST_US = 2**63 - 1
_OUTCOMES = """
    SELECT position, kind, crc, body FROM events WHERE kind = 'outcome' AND decision_id = ? ORDER BY position
"""
_RATINGS = """
    SELECT position, kind, crc, body FROM events
    WHERE kind = 'feedback' AND superseded = 0 AND decision_id = ? ORDER BY at_us, position
"""
_COMPLETION = "SELECT decision_id FROM events WHERE completion_id = ? ORDER BY position DESC LIMIT 1"
_DECISIONS = """
    SELECT position, kind, crc, body FROM events WHERE kind = 'decision' ORDER BY at_us DESC, position DESC LIMIT ?
"""
_DECISIONS_UNTIL = """
    SELECT position, kind, crc, body FROM events WHERE kind = 'decision' AND at_us <= ?
    ORDER BY at_us DESC, position DESC LIMIT ?
"""
_ALERTS = """
    SELECT position, kind, crc, body FROM events WHERE kind = 'alert' ORDER BY at_us DESC, position DESC LIMIT ?
"""
_ALERT_TRAIL = """
    SELECT position, kind, crc, body FROM events WHERE kind IN ('acknowledgement', 'notice')
    ORDER BY at_us DESC, position DESC LIMIT ?
"""
_CHANGES = """
    SELECT position, kind, crc, body FROM events WHERE kind = 'standing' AND at_us <= ?
    ORDER BY at_us DESC, position DESC LIMIT ?
"""
_SIGNAL_PLACE = "SELECT position FROM events WHERE id = ? AND kind = 'signal'"
_SIGNALS = """
    SELECT position, kind, crc, body FROM events
    WHERE kind = 'signal' AND source = ? AND position > ? ORDER BY position LIMIT ?
"""
_HISTORY = """
    SELECT position, kind, crc, body FROM events
    WHERE kind = 'feedback' AND superseded = 0 AND workflow = ? AND stage = ? AND tier = ?
    ORDER BY at_us DESC, position DESC LIMIT ?
"""
_FIRST_STAGE = """
    SELECT stage FROM events WHERE kind = 'feedback' AND superseded = 0 AND workflow = ?
    ORDER BY stage LIMIT 1
"""
_NEXT_STAGE = """
    SELECT stage FROM events WHERE kind = 'feedback' AND superseded = 0 AND workflow = ? AND stage > ?
    ORDER BY stage LIMIT 1
"""
_FIRST_TIER = """
    SELECT tier FROM events WHERE kind = 'feedback' AND superseded = 0 AND workflow = ? AND stage = ?
    ORDER BY tier LIMIT 1
"""
_NEXT_TIER = """
    SELECT tier FROM events WHERE kind = 'feedback' AND superseded = 0 AND workflow = ? AND stage = ? AND tier > ?
    ORDER BY tier LIMIT 1
"""


def decision(db: sqlite3.Connection, decision_id: str) -> DecisionRecord | None:
    """What is known of a decision, or None."""
    made = log_rows.by_id(db, DECISION, decision_id)
    outcomes = log_rows.events(db, _OUTCOMES, decision_id)
    ratings = log_rows.events(db, _RATINGS, decision_id)
    if made is None or not isinstance(made.event, Decision):
        return None
    return DecisionRecord(
        made.event,
        tuple(event for event in outcomes if isinstance(event, Outcome)),
        tuple(event for event in ratings if isinstance(event, Feedback)),
    )


def decision_of_completion(db: sqlite3.Connection, completion_id: str) -> str | None:
    """The id of the decision whose call answered with that completion id, or None."""
    row = db.execute(_COMPLETION, (completion_id,)).fetchone()
    return row[0] if row else None


def recent_decisions(db: sqlite3.Connection, limit: int) -> Sequence[Decision]:
    """The newest first."""
    return [event for event in log_rows.events(db, _DECISIONS, max(limit, 0)) if isinstance(event, Decision)]


def decisions_until(db: sqlite3.Connection, until_us: int, limit: int) -> Sequence[Decision]:
    """Those that were made then or before, the newest first."""
    found = log_rows.events(db, _DECISIONS_UNTIL, until_us, max(limit, 0))
    return [event for event in found if isinstance(event, Decision)]


def recent_alerts(db: sqlite3.Connection, limit: int) -> Sequence[Alert]:
    """The newest first."""
    return [event for event in log_rows.events(db, _ALERTS, max(limit, 0)) if isinstance(event, Alert)]


def alert_trail(db: sqlite3.Connection, limit: int) -> Sequence[Acknowledgement | Notice]:
    """What was done about alerts, the newest first."""
    found = log_rows.events(db, _ALERT_TRAIL, max(limit, 0))
    return [event for event in found if isinstance(event, Acknowledgement | Notice)]


def recent_changes(db: sqlite3.Connection, limit: int, until_us: int | None) -> Sequence[StandingChange]:
    """Changes of what serves a segment, the newest first."""
    found = log_rows.events(db, _CHANGES, _LAST_US if until_us is None else until_us, max(limit, 0))
    return [event for event in found if isinstance(event, StandingChange)]


def signals(db: sqlite3.Connection, agent_id: str, after: str, limit: int) -> Sequence[Signal]:
    """To an agent or to all, in the order of the log."""
    limit = max(limit, 0)
    known = db.execute(_SIGNAL_PLACE, (after,)).fetchone()
    place = known[0] if known else 0
    each = [
        [log_rows.read(row) for row in db.execute(_SIGNALS, (to_agent, place, limit))]
        for to_agent in dict.fromkeys(("", agent_id))
    ]
    found = islice(merge(*each, key=_place), limit)
    return [event for _, event in found if isinstance(event, Signal)]


def feedback_history(
    db: sqlite3.Connection, workflow: str, stage: str, tier: str | None, limit: int
) -> Sequence[Feedback]:
    """The newest ratings of a stage, of one tier or of all, the newest first."""
    limit = max(limit, 0)
    tiers = [tier] if tier is not None else list(log_rows.distinct(db, _FIRST_TIER, _NEXT_TIER, workflow, stage))
    per_tier = [
        [log_rows.read_rating(row) for row in db.execute(_HISTORY, (workflow, stage, name, limit))] for name in tiers
    ]
    return [entry.event for entry in islice(merge(*per_tier, key=_newest, reverse=True), limit)]


def rated_tiers(db: sqlite3.Connection, workflow: str) -> Sequence[tuple[str, str]]:
    """Every (stage, tier) of a workflow that has feedback."""
    return [
        (stage, tier)
        for stage in log_rows.distinct(db, _FIRST_STAGE, _NEXT_STAGE, workflow)
        for tier in log_rows.distinct(db, _FIRST_TIER, _NEXT_TIER, workflow, stage)
    ]


def _place(entry: Logged[object]) -> int:
    return entry.position


def _newest(entry: Logged[Feedback]) -> tuple[datetime, int]:
    return entry.event.recorded_at, entry.position
