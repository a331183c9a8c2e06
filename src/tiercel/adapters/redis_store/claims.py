"""Which partition each event of a batch belongs into.

That is the home of its segment. But an id of the caller's may have been used for a rating of another segment, and then
that partition has to say whether it is the same rating or another. So the id of each rating is claimed for a partition
before it is logged there. A claim whose rating was never logged, because its process ended in between, binds nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.adapters.redis_store.keys import Keys, home
from tiercel.adapters.redis_store.log_index import identity
from tiercel.adapters.redis_store.server import Server
from tiercel.domain.events import Event, Feedback


def divide(server: Server, partitions: Sequence[Keys], events: Sequence[Event]) -> dict[int, list[Event]]:
    """The events of each partition that has some. One round trip where there are ratings, more where ids repeat."""
    if len(partitions) == 1:
        return {0: list(events)}
    ratings: dict[str, tuple[Feedback, int]] = {}
    homes = [home(event, len(partitions)) for event in events]
    for event, at in zip(events, homes, strict=True):
        if isinstance(event, Feedback):
            ratings.setdefault(event.id, (event, at))
    claimed = _claimed(server, partitions, ratings)
    shares: dict[int, list[Event]] = {}
    for event, at in zip(events, homes, strict=True):
        shares.setdefault(claimed[event.id] if isinstance(event, Feedback) else at, []).append(event)
    return shares


def _claimed(server: Server, partitions: Sequence[Keys], ratings: dict[str, tuple[Feedback, int]]) -> dict[str, int]:
    """Where each rating belongs, by its id."""
    asked = [(partitions[0].claimed(name).name, name, at) for name, (_, at) in ratings.items()]
    answers = server.ask_each([[("HSETNX", *claim), ("HGET", *claim[:2])] for claim in asked])
    held = {name: at if found is None else int(found) for (_, name, at), (_, found) in zip(asked, answers, strict=True)}
    elsewhere = [
        (claim, rating) for claim, (rating, at) in zip(asked, ratings.values(), strict=True) if held[rating.id] != at
    ]
    logged = server.ask(*(("HGET", partitions[held[rating.id]].ids.name, identity(rating)) for _, rating in elsewhere))
    forsaken = [claim for (claim, _), position in zip(elsewhere, logged, strict=True) if position is None]
    server.ask(*(("HSET", *claim) for claim in forsaken))
    return held | {name: at for _, name, at in forsaken}
