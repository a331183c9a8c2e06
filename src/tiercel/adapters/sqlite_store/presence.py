"""Who is there, in a table beside the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tiercel.adapters.codec import decode_beat, encode_beat
from tiercel.adapters.sqlite_store.database import Database
from tiercel.core.statistics.fold import micros
from tiercel.domain.presence import Beat

_KEEP = """
    INSERT INTO beats (agent_id, until_us, body) VALUES (?, ?, ?)
    ON CONFLICT (agent_id) DO UPDATE SET until_us = excluded.until_us, body = excluded.body
    WHERE excluded.until_us >= beats.until_us
"""
_DROP = "DELETE FROM beats WHERE until_us <= ?"
_KEPT = "SELECT body FROM beats WHERE until_us > ? ORDER BY agent_id"
_US_PER_S = 1_000_000


class SqlitePresence:
    """The last beat of each agent. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        """See `Presence.beat`. One transaction."""
        if not beats:
            return
        rows = [
            (said.agent_id, micros(said.at) + round(ttl_s * _US_PER_S), encode_beat(said).decode()) for said in beats
        ]
        with self._database.writing() as db:
            db.executemany(_KEEP, rows)
            db.execute(_DROP, (max(micros(said.at) for said in beats),))

    def beats(self, now: datetime) -> Sequence[Beat]:
        """See `Presence.beats`."""
        with self._database.reading() as db:
            return [decode_beat(body) for (body,) in db.execute(_KEPT, (micros(now),))]
