"""Events in the log, and the indexes that find them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tiercel.adapters.codec import decode_event, encode_event, encode_key, kind_of
from tiercel.adapters.redis_store.keys import US_PER_DAY, Key, Keys, feedback_key, position_text
from tiercel.adapters.redis_store.server import Argument, Server, Write
from tiercel.core.logbook import Rater, event_time, rater
from tiercel.core.statistics.fold import micros
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreCorrupt
from tiercel.domain.events import Event, Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice

FEEDBACK_TTL_S = 604_800
CHUNK = 1_000
"""Entries that are read, or removed, at a time."""


History = tuple[str, str, str | None]
"""Workflow, stage and tier; tier None for the ratings that were revised."""


class Logged(NamedTuple):
    """An event and its place in the log."""

    position: int
    event: Event


def identity(event: Event) -> str:
    """What an event is known by: kinds have ids of their own."""
    return f"{kind_of(event)}:{event.id}"


def rater_field(who: Rater) -> str:
    """The field of `Keys.about` that says which rating of a source is in force."""
    return f"f:{who[1]}"


def as_pairs(answer: Sequence[Any]) -> dict[Any, Any]:
    """A hash as scripts return it, fields and values in turn."""
    return dict(zip(answer[::2], answer[1::2], strict=True))


def read_entries(answer: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Logged]:
    """The events of a stretch of the log. Raises `StoreCorrupt`."""
    try:
        return [
            Logged(int(entry.partition(b"-")[0]), decode_event(fields[b"k"].decode(), fields[b"b"]))
            for entry, fields in answer
        ]
    except (KeyError, ValueError) as error:
        raise StoreCorrupt(f"an entry of the log is not what was written: {error!r}") from error


def stretch(keys: Keys, after: int, limit: int, to: int | None = None) -> tuple[Any, ...]:
    """The command for the next `limit` entries after a position."""
    return ("XRANGE", keys.log.name, f"{after + 1}-0", "+" if to is None else f"{to}-0", "COUNT", limit)


def entries(server: Server, keys: Keys, positions: Iterable[bytes]) -> list[Logged]:
    """The entries at `positions`, each once; without those that are no longer in the log."""
    (found,) = entries_of_each(server, [(keys, positions)])
    return found


def entries_of_each(server: Server, wanted: Iterable[tuple[Keys, Iterable[bytes]]]) -> list[list[Logged]]:
    """The same for several partitions."""
    places = [(keys, list(dict.fromkeys(positions))) for keys, positions in wanted]
    found: list[list[Logged]] = [[] for _ in places]
    for start in range(0, max((len(positions) for _, positions in places), default=0), CHUNK):
        answers = server.ask_each(
            [
                [("XRANGE", keys.log.name, at, at) for at in positions[start : start + CHUNK]]
                for keys, positions in places
            ]
        )
        for of_partition, some in zip(found, answers, strict=True):
            of_partition.extend(entry for answer in some for entry in read_entries(answer))
    return found


def write_event(write: Write, keys: Keys, number: int, event: Event) -> None:
    """Log an event as the `number`-th after the log's end."""
    write.add("XADD", keys.log, number, "k", kind_of(event), "b", encode_event(event))


def enter(write: Write, keys: Keys, number: int, event: Event, *, in_force: bool) -> None:
    """Make the `number`-th event findable; `in_force` says of a rating that none revises it."""
    at_us = micros(event_time(event))
    day = at_us // US_PER_DAY
    write.add("HSET", keys.ids, identity(event), number)
    write.add("RPUSH", keys.day(day), number)
    write.add("ZADD", keys.days, str(day), str(day))
    index = _index(keys, event)
    if index is not None:
        write.add("ZADD", index, "0" if isinstance(event, Signal) else str(at_us), number)
    elif isinstance(event, Outcome):
        write.add("HSET", keys.about(event.decision_id), f"o:{event.id}", number)
        if event.completion_id:
            write.add("ZADD", keys.completions, "0", (completion(event.completion_id), number))
    elif isinstance(event, Feedback):
        who = rater(event)
        if in_force and who is not None:
            write.add("HSET", keys.about(who[0]), rater_field(who), number)
        _enter_history(write, keys, number, event, in_force=in_force)


def revised(write: Write, keys: Keys, old: Logged) -> None:
    """A rating in force is revised: it is in no answer any more but the log's."""
    rating = old.event
    if isinstance(rating, Feedback) and rating.segment[0] == "stage":
        _, workflow, stage = rating.segment
        write.add("ZREM", keys.history(workflow, stage, rating.tier), position_text(old.position))
        _show(write, keys, "DEL", feedback_key(workflow, stage, rating.tier, rating.id))
        _enter_history(write, keys, position_text(old.position), rating, in_force=False)


def leave(write: Write, keys: Keys, old: Logged, *, in_force: bool) -> History | None:
    """Take an event out of the log; the history it was in, if it was in one.

    Its place in its day's list stays: `trim` takes the whole list.
    """
    position, event = old
    member = position_text(position)
    write.add("XDEL", keys.log, member)
    write.add("HDEL", keys.ids, identity(event))
    index = _index(keys, event)
    if index is not None:
        write.add("ZREM", index, member)
    elif isinstance(event, Outcome):
        write.add("HDEL", keys.about(event.decision_id), f"o:{event.id}")
        if event.completion_id:
            write.add("ZREM", keys.completions, completion(event.completion_id) + member)
    elif isinstance(event, Feedback):
        if keys.divided:
            write.following += (("HDEL", claims.name, event.id) for claims in keys.claimed(event.id))
        who = rater(event)
        if in_force and who is not None:
            write.add("HDEL", keys.about(who[0]), rater_field(who))
        if event.segment[0] == "stage":
            _, workflow, stage = event.segment
            history = (workflow, stage, event.tier if in_force else None)
            write.add("ZREM", keys.history(*history), member)
            if in_force:
                _show(write, keys, "DEL", feedback_key(workflow, stage, event.tier, event.id))
            return history
    return None


def _index(keys: Keys, event: Event) -> Key | None:
    """The positions of its kind, where it is in one index and no other."""
    if isinstance(event, Decision):
        return keys.decisions
    if isinstance(event, Alert):
        return keys.alerts
    if isinstance(event, Acknowledgement | Notice):
        return keys.alert_trail
    if isinstance(event, StandingChange):
        return keys.changes
    return keys.signals(event.to_agent) if isinstance(event, Signal) else None


def completion(completion_id: str) -> str:
    """What the members of `Keys.completions` for a completion begin with; JSON has no NUL in it."""
    return encode_key((completion_id,)) + "\x00"


def _enter_history(write: Write, keys: Keys, place: Argument, rating: Feedback, *, in_force: bool) -> None:
    if rating.segment[0] != "stage":
        return
    _, workflow, stage = rating.segment
    tier = rating.tier if in_force else None
    write.add("ZADD", keys.history(workflow, stage, tier), str(micros(rating.recorded_at)), place)
    write.add("SADD", keys.rated(workflow), rated_member(stage, tier))
    if in_force:
        key = feedback_key(workflow, stage, rating.tier, rating.id)
        _show(write, keys, "SET", key, _shown(rating), "EX", str(FEEDBACK_TTL_S))


def _show(write: Write, keys: Keys, command: str, key: Key, *arguments: str | bytes) -> None:
    """Write what other tools read: in the step where it reaches that, else after it."""
    if keys.divided:
        write.following.append((command, key.name, *arguments))
    else:
        write.add(command, key, *arguments)


def rated_member(stage: str, tier: str | None) -> str:
    """The member of `Keys.rated` for a history."""
    return encode_key((stage,) if tier is None else (stage, tier))


def rated(server: Server, keys: Keys, workflow: str) -> list[tuple[str, str | None]]:
    """The stage and tier of each history of a workflow; tier None for what was revised. Raises `StoreCorrupt`."""
    (found,) = rated_of_each(server, [keys], workflow)
    return found


def rated_of_each(server: Server, partitions: Sequence[Keys], workflow: str) -> list[list[tuple[str, str | None]]]:
    """The same for several partitions."""
    answers = server.ask(*(("SMEMBERS", keys.rated(workflow).name) for keys in partitions))
    return [[_history(member) for member in sorted(members)] for members in answers]


def _history(member: bytes) -> tuple[str, str | None]:
    try:
        stage, *tiers = msgspec.json.decode(member, type=tuple[str, ...])
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreCorrupt(f"the names of what was rated cannot be read: {error}") from error
    return stage, tiers[0] if tiers else None


def _shown(rating: Feedback) -> bytes:
    return msgspec.json.encode(
        {
            "quality_score": rating.quality,
            "timestamp": rating.recorded_at.isoformat(),
            "metadata": dict(rating.metadata),
        }
    )
