"""What a batch adds to the log: computed from what is known of its ids and raters, then written if that still holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tiercel.adapters.redis_store import log_index, progress
from tiercel.adapters.redis_store.keys import Keys
from tiercel.adapters.redis_store.log_index import Logged, identity, rater_field
from tiercel.adapters.redis_store.progress import Progress
from tiercel.adapters.redis_store.server import Server, Write
from tiercel.core.logbook import Rater, conflicts, rater, revise
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event, Feedback


@dataclass(slots=True)
class Known:
    """What the log knows of the ids and raters of a batch."""

    now: Progress
    logged: dict[str, bytes]
    in_force: dict[Rater, bytes]
    entries: dict[int, Logged]

    def needed(self, events: Sequence[Event]) -> list[bytes]:
        """The positions of the entries that the batch has to be compared with."""
        spoken = {identity(event) for event in events if isinstance(event, Feedback)}  # only these may conflict
        return [*(at for name, at in self.logged.items() if name in spoken), *self.in_force.values()]

    def entry(self, position: bytes | None) -> Logged | None:
        """The entry at a position that was asked for."""
        return None if position is None else self.entries.get(int(position))


@dataclass(slots=True)
class Batch:
    """What became of a batch. Numbers count the accepted from 1; `revised` are the entries of the log taken back."""

    accepted: list[Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    in_force: dict[Rater, int] = field(default_factory=dict)
    revised: list[Logged] = field(default_factory=list)


def ask(server: Server, shares: Sequence[tuple[Keys, Sequence[Event]]]) -> list[Known | StoreUnavailable]:
    """What each partition knows of its share of a batch, or why it cannot be asked.

    Two round trips, the second only where an id is known or a rating revised.
    """
    answers = server.try_each([_questions(keys, events) for keys, events in shares])
    found = [
        (keys, events, answer if isinstance(answer, StoreUnavailable) else _found(events, answer))
        for (keys, events), answer in zip(shares, answers, strict=True)
    ]
    asked = [(keys, known, known.needed(events)) for keys, events, known in found if isinstance(known, Known)]
    entries = log_index.entries_of_each(server, [(keys, needed) for keys, _, needed in asked])
    for (_, known, _), some in zip(asked, entries, strict=True):
        known.entries.update((entry.position, entry) for entry in some)
    return [known for _, _, known in found]


def _questions(keys: Keys, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    return [
        progress.asked(keys),
        ("HMGET", keys.ids.name, *_identities(events)),
        *(("HGET", keys.about(who[0]).name, rater_field(who)) for who in _raters(events)),
    ]


def _found(events: Sequence[Event], answer: Sequence[Any]) -> Known:
    now, positions, *ratings = answer
    logged = {name: at for name, at in zip(_identities(events), positions, strict=True) if at is not None}
    in_force = {who: at for who, at in zip(_raters(events), ratings, strict=True) if at is not None}
    return Known(progress.read(now), logged, in_force, {})


def judge(events: Sequence[Event], known: Known) -> Batch:
    """Which events are new, and which ratings they revise; as core/logbook.py says."""
    batch = Batch()
    fresh: dict[str, Event] = {}
    newest: dict[Rater, Feedback] = {}
    for arrived in events:
        event, name = arrived, identity(arrived)
        if name in fresh or name in known.logged:
            held = known.entry(known.logged.get(name))
            before = fresh.get(name) or (held and held.event)
            if before is not None and conflicts(event, before):
                batch.refused.append(event.id)
            continue
        who = rater(event) if isinstance(event, Feedback) else None
        if isinstance(event, Feedback) and who is not None:
            logged = known.entry(known.in_force.get(who))
            earlier = newest.get(who) or (logged.event if logged and isinstance(logged.event, Feedback) else None)
            event, is_newest = revise(event, earlier)
            if is_newest:
                if logged is not None and who not in newest:
                    batch.revised.append(logged)
                newest[who] = event
                batch.in_force[who] = len(batch.accepted) + 1
        fresh[name] = event
        batch.accepted.append(event)
    return batch


def write(keys: Keys, known: Known, batch: Batch) -> Write:
    """The step that logs the accepted, if nothing was logged meanwhile that would have made a difference."""
    step = progress.begin(keys, known.now)
    for event in batch.accepted:
        step.only_if(None, "HGET", keys.ids, identity(event))
    for who in _raters(batch.accepted):
        step.only_if(known.in_force.get(who), "HGET", keys.about(who[0]), rater_field(who))
    for number, event in enumerate(batch.accepted, 1):
        log_index.write_event(step, keys, number, event)
    for number, event in enumerate(batch.accepted, 1):
        author = rater(event) if isinstance(event, Feedback) else None
        in_force = author is None or batch.in_force.get(author) == number
        log_index.enter(step, keys, number, event, in_force=in_force)
    for old in batch.revised:
        log_index.revised(step, keys, old)
    progress.set_progress(step, keys, position=len(batch.accepted))
    return step


def _identities(events: Iterable[Event]) -> list[str]:
    return list(dict.fromkeys(map(identity, events)))


def _raters(events: Iterable[Event]) -> list[Rater]:
    said = (rater(event) for event in events if isinstance(event, Feedback))
    return list(dict.fromkeys(who for who in said if who is not None))
