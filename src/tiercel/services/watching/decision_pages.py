"""The log's decisions, newest first, a page at a time; or those that are wanted, as far as one page looks back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tiercel.core.statistics.fold import micros
from tiercel.domain.decision import Decision
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.ports import EventStore

LOOK_BACK = 500
"""So many decisions one page looks at; where that were not enough, `next` goes on from there."""
CHUNK = 250
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a decision has to be; None: anything."""

    workflow: str | None = None
    stage: str | None = None
    model: str | None = None
    policy: str | None = None
    tier: str | None = None
    agent_id: str | None = None

    def holds(self, decision: Decision) -> bool:
        """Whether it is."""
        pairs = (
            (self.workflow, decision.workflow),
            (self.stage, decision.stage),
            (self.model, decision.model),
            (self.policy, decision.policy),
            (self.tier, decision.tier),
            (self.agent_id, decision.agent_id),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)


ANY = Wanted()


class Cursor(NamedTuple):
    """How far one has read: those of `at_us` (microseconds since the epoch), but for the first `seen` of them."""

    at_us: int
    seen: int

    def __str__(self) -> str:
        return f"{self.at_us}-{self.seen}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of `str`. Raises `InvalidInput`."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise InvalidInput([Problem("before", "must be the `next` of an earlier answer", repr(text)[:80])])
        return cls(int(match[1]), int(match[2]))

    def after(self, decision: Decision) -> Cursor:
        """The cursor of who has read on to that decision."""
        at_us = micros(decision.decided_at)
        return Cursor(at_us, self.seen + 1 if at_us == self.at_us else 1)


_START = Cursor(-1, 0)


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Some decisions, the newest first, out of `looked_at`; `next` is where to go on, None at the log's end."""

    decisions: Sequence[Decision]
    next: Cursor | None
    looked_at: int


def decision_page(store: EventStore, limit: int, *, before: Cursor | None = None, wanted: Wanted = ANY) -> DecisionPage:
    """Up to `limit` decisions that are wanted, of the `LOOK_BACK` before a cursor. Raises `StoreError`.

    Cost: that of reading the decisions looked at, whatever else is in the log.
    """
    found: list[Decision] = []
    reached, looked_at = before or _START, 0
    for decision, cursor in _back(store, before, limit if wanted == ANY else CHUNK):
        if len(found) == limit or looked_at == max(LOOK_BACK, limit):
            return DecisionPage(found, reached, looked_at)
        reached, looked_at = cursor, looked_at + 1
        if wanted.holds(decision):
            found.append(decision)
    return DecisionPage(found, None, looked_at)


def _back(store: EventStore, before: Cursor | None, chunk: int) -> Iterator[tuple[Decision, Cursor]]:
    """The decisions before a cursor, each with the cursor of who has read it."""
    cursor = before or _START
    while True:
        # one more than are wanted: then it is known whether there is a next page
        wanted = chunk + 1 + cursor.seen
        newest = _read(store, cursor, wanted)
        same = 0
        for decision in newest:
            if same < cursor.seen and micros(decision.decided_at) == cursor.at_us:
                same += 1
                continue
            break
        following = newest[same:]
        for decision in following:
            cursor = cursor.after(decision)
            yield decision, cursor
        if len(newest) < wanted:
            return


def _read(store: EventStore, cursor: Cursor, limit: int) -> Sequence[Decision]:
    if cursor.at_us < 0:
        return store.recent_decisions(limit)
    return store.decisions_until(_EPOCH + timedelta(microseconds=cursor.at_us), limit)
