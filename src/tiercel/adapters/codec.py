"""Events and learned state as JSON text: what stores write is read back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from tiercel.core.statistics.buckets import Bucket
from tiercel.core.statistics.fold import Deltas, Key
from tiercel.core.statistics.label_clock import LabelClock
from tiercel.core.statistics.moments import Moments
from tiercel.core.statistics.moments import Row as MomentsRow
from tiercel.core.statistics.recent_outcomes import OutcomeColumns, RecentOutcomes
from tiercel.core.statistics.recent_ratings import RatingColumns, RecentRatings
from tiercel.core.statistics.sums import Row, Sums
from tiercel.core.statistics.usage import Row as UsageRow
from tiercel.core.statistics.usage import Usage
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import InvalidInput, StoreCorrupt
from tiercel.domain.events import Event, Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.domain.presence import Beat

DECISION, OUTCOME, FEEDBACK, STANDING, ALERT = "decision", "outcome", "feedback", "standing", "alert"
SIGNAL, ACKNOWLEDGEMENT, NOTICE = "signal", "acknowledgement", "notice"
_KINDS: dict[type[Event], str] = {
    Decision: DECISION,
    Outcome: OUTCOME,
    Feedback: FEEDBACK,
    StandingChange: STANDING,
    Alert: ALERT,
    Signal: SIGNAL,
    Acknowledgement: ACKNOWLEDGEMENT,
    Notice: NOTICE,
}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_event_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(event_type) for event_type, kind in _KINDS.items()
}


def kind_of(event: Event) -> str:
    """The word for an event's type."""
    return _KINDS[type(event)]


def encode_event(event: Event) -> bytes:
    """An event as JSON. Raises `InvalidInput` for what JSON or UTF-8 cannot hold."""
    try:
        return _encoder.encode(event)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{kind_of(event)} {event.id!r} cannot be stored: {error}") from error


def decode_event(kind: str, body: bytes | str) -> Event:
    """The inverse of `encode_event`. Raises `StoreCorrupt`."""
    try:
        event: Event = _event_decoders[kind].decode(body)
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"a logged {kind!r} cannot be read: {error}") from error
    return event


def as_logged(event: Event) -> Event:
    """The event as it will be read back: tuples in metadata become lists, and the like."""
    return decode_event(kind_of(event), encode_event(event))


_beat_decoder = msgspec.json.Decoder(Beat)


def encode_beat(beat: Beat) -> bytes:
    """A beat as JSON. Raises `InvalidInput` for what JSON or UTF-8 cannot hold."""
    try:
        return _encoder.encode(beat)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the beat of {beat.agent_id!r} cannot be stored: {error}") from error


def decode_beat(body: bytes | str) -> Beat:
    """The inverse of `encode_beat`. Raises `StoreCorrupt`."""
    try:
        return _beat_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"a beat cannot be read: {error}") from error


class Address(NamedTuple):
    """Where an entry of the learned state belongs. `bucket` is (0, 0) for what is not kept in time buckets."""

    part: str
    key: str
    bucket: Bucket


class StateRow(NamedTuple):
    """One entry of the learned state."""

    address: Address
    body: bytes


SUMS, OUTCOMES, RATINGS, MOMENTS, CLOCK, USAGE = "sums", "outcomes", "ratings", "moments", "clock", "usage"
_NO_BUCKET = Bucket(0, 0)
_key_decoder = msgspec.json.Decoder(tuple[str, ...])
_sums_decoder = msgspec.json.Decoder(Row)
_outcomes_decoder = msgspec.json.Decoder(OutcomeColumns)
_moments_decoder = msgspec.json.Decoder(MomentsRow)
_usage_decoder = msgspec.json.Decoder(UsageRow)
_clock_decoder = msgspec.json.Decoder(LabelClock)
_ratings_decoder = msgspec.json.Decoder(RatingColumns)


def encode_key(key: Key) -> str:
    """A key as JSON text; no name can be mistaken for another's."""
    return _encoder.encode(key).decode()


def addresses(state: Deltas) -> Iterator[Address]:
    """Where the entries of a state belong, in the order of `state_rows`."""
    for key, bucket in state.sums:
        yield Address(SUMS, encode_key(key), bucket)
    for key in state.outcomes:
        yield Address(OUTCOMES, encode_key(key), _NO_BUCKET)
    for key in state.ratings:
        yield Address(RATINGS, encode_key(key), _NO_BUCKET)
    for policy, segment in state.standings:
        yield Address(STANDING, encode_key((policy, *segment)), _NO_BUCKET)
    for key in state.moments:
        yield Address(MOMENTS, encode_key(key), _NO_BUCKET)
    for segment in state.clocks:
        yield Address(CLOCK, encode_key(segment), _NO_BUCKET)
    for key in state.usage:
        yield Address(USAGE, encode_key(key), _NO_BUCKET)


def state_rows(state: Deltas) -> Iterator[StateRow]:
    """Every entry of a state."""
    bodies = chain(
        (_encoder.encode(sums.to_row()) for sums in state.sums.values()),
        (_encoder.encode(outcomes.to_row()) for outcomes in state.outcomes.values()),
        (_encoder.encode(ratings.to_row()) for ratings in state.ratings.values()),
        map(encode_event, state.standings.values()),
        (_encoder.encode(moments.to_row()) for moments in state.moments.values()),
        map(_encoder.encode, state.clocks.values()),
        (_encoder.encode(usage.to_row()) for usage in state.usage.values()),
    )
    return map(StateRow, addresses(state), bodies)


def read_state_row(row: StateRow, into: Deltas) -> None:
    """Enter a row into a state that does not hold it yet. Raises `StoreCorrupt`."""
    part, key_text, bucket = row.address
    try:
        key = _key_decoder.decode(key_text)
        if part == SUMS:
            into.sums[key, bucket] = Sums.from_row(_sums_decoder.decode(row.body))
        elif part == OUTCOMES:
            into.outcomes[key] = RecentOutcomes.from_row(_outcomes_decoder.decode(row.body))
        elif part == RATINGS:
            into.ratings[key] = RecentRatings.from_row(_ratings_decoder.decode(row.body))
        elif part == MOMENTS:
            into.moments[key] = Moments.from_row(_moments_decoder.decode(row.body))
        elif part == USAGE:
            into.usage[key] = Usage.from_row(_usage_decoder.decode(row.body))
        elif part == CLOCK:
            into.clocks[key] = _clock_decoder.decode(row.body)
        elif part == STANDING:
            into.stand(_event_decoders[STANDING].decode(row.body))
        else:
            raise StoreCorrupt(f"the learned state has a part {part!r} that is unknown")
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise StoreCorrupt(f"an entry of the learned {part} cannot be read: {error}") from error
