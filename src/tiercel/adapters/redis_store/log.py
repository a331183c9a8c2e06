"""A batch on its way into the partitions: each takes its share in one step, and one that is away takes none."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import replace

from tiercel.adapters.redis_store import appending, claims
from tiercel.adapters.redis_store.appending import Batch, Known, judge
from tiercel.adapters.redis_store.keys import Keys, home
from tiercel.adapters.redis_store.log_index import identity
from tiercel.adapters.redis_store.server import Server
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.errors import PositionLost, StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Appended, Fold, Span

ATTEMPTS = 30
"""Of a step that others' steps made void. Each time one of theirs was done, so all together get on."""


class Log:
    """The log in its partitions. `followed` are those that were read: nothing is logged into another in their place."""

    def __init__(self, server: Server, partitions: Sequence[Keys], followed: MutableSequence[str | None]) -> None:
        self._server = server
        self._partitions = partitions
        self._followed = followed

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """See `EventStore.append`."""
        division = claims.divide(self._server, self._partitions, events)
        waiting, missing = division.shares, division.missing
        batches: list[Batch] = []
        deltas: list[Deltas] = []
        spans: list[Span] = []
        for _ in range(ATTEMPTS):
            tried = self._known(waiting, missing)
            judged = [(number, keys, known, judge(share, known)) for number, keys, known, share in tried]
            taught = [fold(batch.accepted) for _, _, _, batch in judged]
            writes = [appending.write(keys, known, batch) for _, keys, known, batch in judged if batch.accepted]
            ends = iter(zip(self._server.try_commit(*writes), writes, strict=True))
            for (number, _, _, batch), added in zip(judged, taught, strict=True):
                before, step = next(ends) if batch.accepted else (0, None)
                if isinstance(before, StoreUnavailable):
                    self._miss(waiting.pop(number), before, missing)
                elif before is not None:
                    del waiting[number]
                    if step and self._followed[number] == "":
                        # who saw that there was no log follows the one that he begins
                        self._followed[number] = step.begun
                    batches.append(batch)
                    deltas.append(added)
                    spans += [Span(number, before, before + len(batch.accepted))] if batch.accepted else []
            if not waiting:
                return replace(_together(events, batches, deltas, spans), missing=said(missing))
        raise worn_out(self._server.place)

    def _known(
        self, waiting: dict[int, list[Event]], missing: dict[int, StoreUnavailable]
    ) -> list[tuple[int, Keys, Known, list[Event]]]:
        """What each partition knows of its share. Those that cannot be asked do not wait any longer."""
        shares = [(number, self._partitions[number], share) for number, share in waiting.items()]
        found = appending.ask(self._server, [(keys, share) for _, keys, share in shares])
        known: list[tuple[int, Keys, Known, list[Event]]] = []
        for (number, keys, share), what in zip(shares, found, strict=True):
            if isinstance(what, StoreUnavailable):
                self._miss(waiting.pop(number), what, missing)
                continue
            if self._followed[number] and what.now.log != self._followed[number]:
                # who learned from the log that is gone has to tell the one in its place before any event does
                raise PositionLost
            known.append((number, keys, what, share))
        return known

    def _miss(self, share: Sequence[Event], why: StoreUnavailable, missing: dict[int, StoreUnavailable]) -> None:
        if len(self._partitions) == 1:
            raise why
        missing.update((home(event, len(self._partitions)), why) for event in share)


def worn_out(place: str) -> StoreUnavailable:
    """Others were quicker, too often."""
    return StoreUnavailable(f"{place}: others changed the log {ATTEMPTS} times while this was worked out")


def said(missing: Mapping[int, StoreUnavailable]) -> dict[int, str]:
    """Why parts are missing."""
    return {number: str(why) for number, why in missing.items()}


def _together(
    events: Sequence[Event], batches: Sequence[Batch], deltas: Sequence[Deltas], spans: Sequence[Span]
) -> Appended:
    """What became of a batch whose shares were logged apart, in its own order."""
    if len(batches) == 1:
        return Appended(tuple(batches[0].accepted), deltas[0], tuple(batches[0].refused), tuple(spans))
    place = {identity(event): number for number, event in reversed(list(enumerate(events)))}
    accepted = sorted(
        (event for batch in batches for event in batch.accepted), key=lambda event: place[identity(event)]
    )
    told = Deltas()
    told.merge(*deltas)
    refused = [name for batch in batches for name in batch.refused]
    return Appended(tuple(accepted), told, tuple(refused), tuple(sorted(spans)))
