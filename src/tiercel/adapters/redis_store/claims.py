"""Which partition each event of a batch belongs into.

That is the home of its segment. But an id of the caller's may have been used for a rating of another segment, and then
that partition has to say whether it is the same rating or another. So the id of each rating is claimed for a partition
before it is logged there: in two places, of which one is enough while the other is away. A claim whose rating was never
logged, because its process ended in between, binds nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tiercel.adapters.redis_store.keys import Keys, home
from tiercel.adapters.redis_store.log_index import identity
from tiercel.adapters.redis_store.server import Server
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event, Feedback


@dataclass(slots=True)
class Division:
    """The events of each partition that has some, and the homes of which nothing can be logged now, with the reason."""

    shares: dict[int, list[Event]] = field(default_factory=dict)
    missing: dict[int, StoreUnavailable] = field(default_factory=dict)


@dataclass(slots=True)
class _Claim:
    """A rating that belongs to `home`, and where its id may have been used before, as far as that can be asked."""

    rating: Feedback
    home: int
    keys: Sequence[str]
    elsewhere: list[int]


def divide(server: Server, partitions: Sequence[Keys], events: Sequence[Event]) -> Division:
    """Where events go. One round trip where there are ratings, more where ids repeat."""
    if len(partitions) == 1:
        return Division({0: list(events)})
    division = Division()
    homes = [home(event, len(partitions)) for event in events]
    claims = _claims(server, partitions, events, homes, division)
    where = _settled(server, partitions, claims, division)
    for event, at in zip(events, homes, strict=True):
        if at not in division.missing:
            place = where[event.id] if isinstance(event, Feedback) else at
            division.shares.setdefault(place, []).append(event)
    return division


def _claims(
    server: Server, partitions: Sequence[Keys], events: Sequence[Event], homes: Sequence[int], division: Division
) -> list[_Claim]:
    """What is known of the id of each rating."""
    first: dict[str, _Claim] = {}
    for event, at in zip(events, homes, strict=True):
        if isinstance(event, Feedback) and event.id not in first:
            first[event.id] = _Claim(event, at, [key.name for key in partitions[0].claimed(event.id)], [])
    asked = [(claim, key) for claim in first.values() for key in claim.keys]
    answers = server.try_each(
        [[("HSETNX", key, claim.rating.id, claim.home), ("HGET", key, claim.rating.id)] for claim, key in asked]
    )
    known: set[str] = set()
    why: dict[str, StoreUnavailable] = {}
    for (claim, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, StoreUnavailable):
            why[claim.rating.id] = answer
            continue
        known.add(claim.rating.id)
        found = claim.home if answer[1] is None else int(answer[1])
        claim.elsewhere += [found] if found not in (claim.home, *claim.elsewhere) else []
    division.missing |= {claim.home: why[name] for name, claim in first.items() if name not in known}
    return list(first.values())


def _settled(
    server: Server, partitions: Sequence[Keys], claims: Sequence[_Claim], division: Division
) -> dict[str, int]:
    """Where each rating belongs, by its id."""
    where = {claim.rating.id: claim.home for claim in claims}
    unsure = [(claim, place) for claim in claims for place in claim.elsewhere]
    logged = server.try_each([[("HGET", partitions[at].ids.name, identity(claim.rating))] for claim, at in unsure])
    for (claim, place), answer in zip(unsure, logged, strict=True):
        if isinstance(answer, StoreUnavailable):
            division.missing[claim.home] = answer
        elif answer[0] is not None:
            where[claim.rating.id] = place
    # what was claimed and never logged is the newcomer's now; what is logged is claimed where it is
    server.try_each(
        [[("HSET", key, claim.rating.id, where[claim.rating.id])] for claim, _ in unsure for key in claim.keys]
    )
    return where
