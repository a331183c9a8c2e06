"""Events as rows of the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

from tiercel.adapters.codec import decode_event, encode_event, kind_of
from tiercel.core.logbook import event_time, rater
from tiercel.core.statistics.fold import micros
from tiercel.domain.errors import StoreCorrupt
from tiercel.domain.events import Event, Feedback, Outcome, Signal
from tiercel.domain.request import Segment

_INSERT = """
    INSERT INTO events (position, kind, id, at_us, decision_id, completion_id, workflow, stage, tier, source,
                        superseded, crc, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_RATING_IN_FORCE = """
    SELECT position, kind, crc, body FROM events
    WHERE kind = 'feedback' AND superseded = 0 AND decision_id = ? AND source = ?
"""
_SUPERSEDE = "UPDATE events SET superseded = 1 WHERE position = ?"
_BY_ID = "SELECT position, kind, crc, body FROM events WHERE id = ? AND kind = ?"
_AFTER = """
    SELECT position, kind, crc, body FROM events WHERE position > ? ORDER BY position LIMIT ?
"""

Row = tuple[int, str, int, str]
"""What every query for events selects: position, kind, crc, body."""


EventT_co = TypeVar("EventT_co", covariant=True)


class Logged(NamedTuple, Generic[EventT_co]):
    """An event and its place in the log."""

    position: int
    event: EventT_co


def read(row: Row) -> Logged[Event]:
    """The event of a row. Raises `StoreCorrupt`."""
    position, kind, crc, body = row
    if crc32(body.encode()) != crc:
        raise StoreCorrupt(f"entry {position} of the log is not what was written")
    return Logged(position, decode_event(kind, body))


def read_rating(row: Row) -> Logged[Feedback]:
    """The rating of a row. Raises `StoreCorrupt`."""
    position, event = read(row)
    if not isinstance(event, Feedback):
        raise StoreCorrupt(f"entry {position} of the log is not the rating it was")
    return Logged(position, event)


def insert(db: sqlite3.Connection, position: int, event: Event, *, superseded: bool = False) -> bool:
    """Log an event. False if its id is in the log already, or if another rating of its `rater` is in force."""
    body = encode_event(event)
    decision_id = completion_id = workflow = stage = tier = source = None
    if isinstance(event, Outcome):
        decision_id, completion_id = event.decision_id, event.completion_id or None
    elif isinstance(event, Feedback):
        decision_id, tier, source = event.decision_id or None, event.tier, event.source
        workflow, stage = _stage(event.segment)
    elif isinstance(event, Signal):
        source = event.to_agent
    row = (
        position,
        kind_of(event),
        event.id,
        micros(event_time(event)),
        decision_id,
        completion_id,
        workflow,
        stage,
        tier,
        source,
        superseded,
        crc32(body),
        body.decode(),
    )
    return db.execute(_INSERT, row).rowcount == 1


def rating_in_force(db: sqlite3.Connection, event: Feedback) -> Logged[Feedback] | None:
    """The rating that `event` would revise, or None."""
    who = rater(event)
    row = db.execute(_RATING_IN_FORCE, who).fetchone() if who else None
    return read_rating(row) if row else None


def supersede(db: sqlite3.Connection, position: int) -> None:
    """Mark a rating as revised."""
    db.execute(_SUPERSEDE, (position,))


def by_id(db: sqlite3.Connection, kind: str, event_id: str) -> Logged[Event] | None:
    """The event of that kind and id, or None."""
    row = db.execute(_BY_ID, (event_id, kind)).fetchone()
    return read(row) if row else None


def after(db: sqlite3.Connection, position: int, limit: int) -> list[Logged[Event]]:
    """The next events of the log."""
    return [read(row) for row in db.execute(_AFTER, (position, limit))]


def events(db: sqlite3.Connection, query: str, *about: str | int) -> list[Event]:
    """What a query for events selects."""
    return [read(row).event for row in db.execute(query, about)]


def distinct(db: sqlite3.Connection, first: str, following: str, *about: str) -> Iterator[str]:
    """The distinct values of an index's column, by one step into the index for each."""
    row = db.execute(first, about).fetchone()
    while row is not None:
        yield row[0]
        row = db.execute(following, (*about, row[0])).fetchone()


def _stage(segment: Segment) -> tuple[str, str] | tuple[None, None]:
    return (segment[1], segment[2]) if segment[0] == "stage" else (None, None)
