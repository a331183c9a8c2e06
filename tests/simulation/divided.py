"""A store in parts that may be away by themselves: each is a store in memory, which is the model of all stores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain
from random import Random
from zlib import crc32

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.alerts import Alert
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import START, Appended, DecisionRecord, Fold, Position, Span

GONE = "the part is away"


class DividedStore:
    """`parts` stores, of which some may be `away`. `flaky`: how likely the answer of a part to an append is lost."""

    def __init__(self, parts: int, random: Random) -> None:
        self.parts = [MemoryStore() for _ in range(parts)]
        self.away: set[int] = set()
        self.flaky = 0.0
        self._random = random

    def part_of(self, event: Event) -> int:
        segment = (event.id,) if isinstance(event, Alert) else event.segment
        return crc32("/".join(segment).encode()) % len(self.parts)

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        shares: dict[int, list[Event]] = {}
        for event in events:
            shares.setdefault(self.part_of(event), []).append(event)
        missing = {part: GONE for part in shares if part in self.away}
        logged = {part: self.parts[part].append(share, fold) for part, share in shares.items() if part not in missing}
        lost = {part: "no answer: it was lost" for part in logged if self._random.random() < self.flaky}
        told = Deltas()
        told.merge(*(appended.deltas for part, appended in logged.items() if part not in lost))
        place = {event.id: number for number, event in enumerate(events)}
        kept = [(part, appended) for part, appended in logged.items() if part not in lost]
        accepted = [event for _, appended in kept for event in appended.accepted]
        return Appended(
            tuple(sorted(accepted, key=lambda event: place[event.id])),
            told,
            tuple(name for _, appended in kept for name in appended.conflicts),
            tuple(Span(part, span.before, span.last) for part, appended in kept for span in appended.spans),
            missing | lost,
        )

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        places = list(position) if position != START else [0] * len(self.parts)
        found: list[Event] = []
        for part in self.there:
            some, (places[part],) = self.parts[part].events_after((places[part],), limit)
            found += some
        return found, tuple(places)

    def load(self) -> tuple[Deltas, Position]:
        there = self.there
        if not there:
            raise StoreUnavailable(GONE)
        loaded = {part: self.parts[part].load() for part in there}
        state = Deltas()
        state.merge(*(deltas for deltas, _ in loaded.values()))
        return state, tuple(loaded[part][1][0] if part in loaded else 0 for part in range(len(self.parts)))

    def decision(self, decision_id: str) -> DecisionRecord | None:
        found = next(filter(None, (self.parts[part].decision(decision_id) for part in self.there)), None)
        if found is None and self.away:
            raise StoreUnavailable(GONE)
        return found

    def compact(self, now: datetime) -> None:
        self._ensure_whole()
        for part in self.parts:
            part.compact(now)

    def trim(self, before: datetime) -> int:
        self._ensure_whole()
        return sum(part.trim(before) for part in self.parts)

    @property
    def there(self) -> Collection[int]:
        """The parts that can be reached."""
        return [part for part in range(len(self.parts)) if part not in self.away]

    @property
    def logged(self) -> list[Event]:
        """All of the log, in the order of each part."""
        return list(chain.from_iterable(part.events_after(START, 1_000_000)[0] for part in self.parts))

    def _ensure_whole(self) -> None:
        if self.away:
            raise StoreUnavailable(GONE)
