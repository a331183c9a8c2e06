"""What tiercel needs from outside, as narrow protocols: stores, providers, a clock. Adapters implement them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from tiercel.core.statistics.fold import Deltas
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome

Fold = Callable[[Sequence[Event]], Deltas]

Position = tuple[int, ...]
"""A place in a log: how far each of its partitions goes. Whoever has it of a store hands it back as it is."""

START: Position = ()
"""Before everything that any log ever held."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never step back; for durations."""
        ...


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
    accepted events stand.
    """

    accepted: tuple[Event, ...]
    deltas: Deltas
    conflicts: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()

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
        the first did its work. Raises `InvalidInput` for an event that cannot be written down.
        """
        ...

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """Up to `limit` events logged after `position`, by any process, and how far one has read with them.

        Those of one segment come in the order in which they were logged. Where `limit` allows, every partition that
        has more is read. Raises `PositionLost` when ratings were cleared, the state was rebuilt or unread events were
        trimmed since: then `load` again.
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

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """The newest first; each when it fired and again when it was resolved."""
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
        """The whole state, and the log position up to which it was learned."""
        ...

    def compact(self, now: datetime) -> None:
        """Move what has aged into coarser time buckets."""
        ...

    def rebuild(self, fold: Fold) -> None:
        """Recompute the state from the log and from what trimmed events taught. Changes nothing unless it was wrong."""
        ...

    def restore(self, state: Deltas) -> bool:
        """Add `state`, learned from a log that is gone, to what the log in its place teaches; whether that was done.

        Done once, by one of all who try: to a log that nothing but at most `YOUNG_LOG` events was ever done to, and
        that is not the one this store follows. It is kept as what trimmed events taught, and followers `load` again.
        """
        ...


class Store(EventStore, StateStore, Protocol):
    """One place that keeps both, atomically."""

    url: str

    def close(self) -> None:
        """Release what is held; idempotent."""
        ...


class Outbox(Protocol):
    """Events on their way to a store that is away, in the order they came. What `add` returned for survives a crash.

    It belongs to one process, and one thread at a time uses it; any may ask `about` what waits.
    """

    @property
    def waiting(self) -> int:
        """How many events are to be delivered yet."""
        ...

    @property
    def limit(self) -> int:
        """How many may wait; whoever adds sees to it."""
        ...

    def add(self, events: Sequence[Event]) -> None:
        """Keep `events`, all or none of them.

        Raises `StoreError` where that cannot be, `InvalidInput` for an event that cannot be written down.
        """
        ...

    def next(self, limit: int) -> tuple[Sequence[Event], int]:
        """Up to `limit` events that have waited longest, and a mark for `delivered`: 0 where nothing waits.

        Those that were damaged are left out. Raises `StoreError` where they cannot be read now.
        """
        ...

    def delivered(self, mark: int) -> None:
        """What the last `next` gave wait no longer. After a crash some of them may wait again."""
        ...

    def about(self, decision_id: str) -> Sequence[Event]:
        """The decision of that id and its outcomes, as far as they wait, in order. Raises `StoreError`."""
        ...

    def close(self) -> None:
        """Release what is held; what waits is kept for the next process. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log was copied: the position of the last event that was, and its id ("" where there is none)."""

    position: Position
    event_id: str = ""


class Archive(Protocol):
    """A copy of the log, in its order, that outlives it. What `mark` says was copied survives the end of the process.

    `add` gathers and writes as memory demands; what was added since the last writing is lost in a crash, and `mark`
    then says where to go on.
    """

    @property
    def mark(self) -> Mark | None:
        """How far the log was copied; None where nothing was begun."""
        ...

    def begin(self, position: Position) -> None:
        """What is added next was logged after `position`; what is missing before stays missing."""
        ...

    def add(self, events: Sequence[Event], position: Position) -> None:
        """The next events of the log, at least one, after which one has read up to `position`."""
        ...

    def flush(self) -> None:
        """Write what was added."""
        ...


class ByteStream(Protocol):
    """Bytes as they arrive. Closing it, begun or not, ends the call behind it; errors are `ProviderError`s."""

    def __aiter__(self) -> ByteStream: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """End the call; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """The head of an upstream's answer, and its body as it arrives."""

    status: int
    headers: Mapping[str, str]
    body: ByteStream


class Provider(Protocol):
    """Someone who runs models behind an OpenAI-compatible endpoint."""

    async def chat(self, body: bytes, *, stream: bool, timeout_s: float) -> ProviderResponse:
        """Send one chat completion request and return when the answer's head has arrived.

        Raises `ProviderUnreachable` or `ProviderTimeout`. An error status is returned, not raised.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
