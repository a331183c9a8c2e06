"""Where the log and what it teaches are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from tiercel.core.statistics.fold import Deltas
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.ports.presence import Presence

Fold = Callable[[Sequence[Event]], Deltas]

Position = tuple[int, ...]
"""A place in a log: how far each of its partitions goes. Whoever has it of a store hands it back as it is."""

START: Position = ()
"""Before everything that any log ever held."""


class Span(NamedTuple):
    """Where events of a batch stand in a partition of the log: after `before` and up to `last`, without a gap."""

    partition: int
    before: int
    last: int


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: the events that were new, in their order, what they taught, and the ids refused.

    An event whose id was in the log already with the same content is simply not in `accepted`; with other content its
    id is in `conflicts`. Feedback in `accepted` carries in `replaces` the rating it revises. `spans` say where the
    accepted events stand. `missing` are the parts of the store that could not be reached, and why: what became of the
    events that belong there (`EventStore.part_of`) is not known, and they have to be given again.
    """

    accepted: tuple[Event, ...]
    deltas: Deltas
    conflicts: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    missing: Mapping[int, str] = field(default_factory=dict)

    def follow(self, position: Position) -> Position | None:
        """Where one stands who knows the log up to `position`, and these events: None if others logged in between.

        None too where nothing was accepted.
        """
        if not self.spans or any(position[span.partition] != span.before for span in self.spans):
            return None
        reached = {span.partition: span.last for span in self.spans}
        return tuple(reached.get(partition, at) for partition, at in enumerate(position))


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision with everything that is known of it since."""

    decision: Decision
    outcomes: tuple[Outcome, ...]
    feedback: tuple[Feedback, ...]


class EventStore(Protocol):
    """The append-only log. What `append` returned for survives the end of the process.

    A rating of a decision by a source that rated it before revises that rating: time, not order of arrival, says which
    of them is in force (core/logbook.py). Ratings that were revised are in the log and in no answer but `events_after`.
    """

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """Log `events` and add what `fold` makes of the accepted ones to the state: both or neither.

        Raises `StoreUnavailable` when the same call may succeed later; repeating it has no second effect even where
        the first did its work. So it is with the parts that are `missing` in the answer. Raises `InvalidInput` for an
        event that cannot be written down.
        """
        ...

    def part_of(self, event: Event) -> int:
        """Which part of the store an event belongs to, 0 where there is one only. All of a segment belong to one."""
        ...

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """Up to `limit` events logged after `position`, by any process, and how far one has read with them.

        Those of one segment come in the order in which they were logged. Where `limit` allows, every partition that
        has more is read, but for those that are away (`Store.missing`). Raises `PositionLost` when ratings were
        cleared, the state was rebuilt or unread events were trimmed since: then `load` again.
        """
        ...

    def oldest(self) -> Position:
        """The first position that the log can be followed from: what was trimmed, or changed since, is before it."""
        ...

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """What is known of a decision, or None."""
        ...

    def decision_of_completion(self, completion_id: str) -> str | None:
        """The id of the decision whose call answered with that completion id, or None."""
        ...

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        """The newest first."""
        ...

    def decisions_until(self, until: datetime, limit: int) -> Sequence[Decision]:
        """Those that were made at `until` or before it, the newest first. Cost independent of history."""
        ...

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """The newest first; each when it fired and again when it was resolved."""
        ...

    def alert_trail(self, limit: int) -> Sequence[Acknowledgement | Notice]:
        """What was done about alerts, the newest first: who acknowledged them, and who was told of them."""
        ...

    def recent_changes(self, limit: int, until: datetime | None = None) -> Sequence[StandingChange]:
        """Changes of what serves a segment, and their steps, up to `until`, the newest first.

        Cost independent of history.
        """
        ...

    def signals(self, agent_id: str, after: str, limit: int) -> Sequence[Signal]:
        """Up to `limit` signals to an agent or to all, in the order of the log: those after the one of the id `after`.

        From the oldest that is kept, where `after` is "" or the id of none that is. Cost independent of history.
        """
        ...

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        """The newest `limit` ratings of a stage (of one tier, or of all), newest first. Cost independent of history."""
        ...

    def rated_tiers(self, workflow: str) -> Sequence[tuple[str, str]]:
        """Every (stage, tier) of a workflow that has feedback."""
        ...

    def clear_feedback(self, workflow: str, stage: str | None, fold: Fold) -> int:
        """Remove the ratings of a workflow (or one stage) and what was learned from them; how many there were."""
        ...

    def trim(self, before: datetime) -> int:
        """Remove the events of the UTC days before that of `before`; what they taught stays in the state.

        Returns the number removed.
        """
        ...


class StateStore(Protocol):
    """The learned state: a cache of the log."""

    def load(self) -> tuple[Deltas, Position]:
        """The whole state, and the log position up to which it was learned: 0 in parts that are `Store.missing`."""
        ...

    def compact(self, now: datetime) -> None:
        """Move what has aged into coarser time buckets."""
        ...

    def rebuild(self, fold: Fold) -> None:
        """Recompute the state from the log and from what trimmed events taught. Changes nothing unless it was wrong."""
        ...

    def restore(self, state: Deltas, position: Position = START) -> bool:
        """Add `state`, learned from a log that is gone, to what the log in its place teaches; whether that was done.

        Done once, by one of all who try: to a log that nothing but at most `YOUNG_LOG` events was ever done to, and
        that is not the one this store follows. It is kept as what trimmed events taught, and followers `load` again.
        Where only some parts of the log are gone it is what they had taught: of a state learned up to `position`, all
        that the other parts do not teach.
        """
        ...


class Store(EventStore, StateStore, Protocol):
    """One place that keeps both, atomically; and beside them who is there."""

    url: str

    @property
    def missing(self) -> Mapping[int, str]:
        """The parts that could not be reached when the log was last read, and why; empty while all can."""
        ...

    @property
    def presence(self) -> Presence:
        """Who is there, kept in the same place."""
        ...

    def close(self) -> None:
        """Release what is held; idempotent."""
        ...
