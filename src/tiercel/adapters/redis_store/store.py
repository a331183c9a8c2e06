"""The store in a Redis or Valkey server, or in the servers of a Cluster. Any number of processes may open the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from tiercel.adapters.codec import as_logged
from tiercel.adapters.redis_store import log_index, progress
from tiercel.adapters.redis_store.keys import US_PER_DAY, Keys, divided, home, home_of, undivided
from tiercel.adapters.redis_store.log import ATTEMPTS, Log, said, worn_out
from tiercel.adapters.redis_store.presence import RedisPresence
from tiercel.adapters.redis_store.progress import Progress
from tiercel.adapters.redis_store.queries import Queries
from tiercel.adapters.redis_store.server import Server
from tiercel.adapters.redis_store.upkeep import Upkeep, has_past
from tiercel.core.logbook import YOUNG_LOG, day_start
from tiercel.core.server_address import CLUSTER
from tiercel.core.statistics.fold import Deltas, fold, micros
from tiercel.core.statistics.remainder import remainder
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import PositionLost, StoreError, StoreUnavailable
from tiercel.domain.events import Event, Feedback, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.ports import START, Appended, DecisionRecord, Fold, Position, Presence

log = logging.getLogger("tiercel.store")

DEFAULT_TIMEOUT_S = 1.0
DEFAULT_LEARN_EVERY = 10_000

_T = TypeVar("_T")


class RedisStore:
    """A log and its learned state in the servers at `url` (see core/server_address.py). Thread-safe.

    `teach` is the fold that `load` and `trim` use. The state of each partition is brought up to date every
    `learn_every` events, by whoever logs the last of them. No wait for the network is longer than `timeout_s`. Opening
    does not connect.
    """

    def __init__(
        self,
        url: str,
        *,
        teach: Fold = fold,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        learn_every: int = DEFAULT_LEARN_EVERY,
    ) -> None:
        self._server = Server(url, timeout_s)
        self.url = self._server.place
        address = self._server.address
        on_cluster = address.form == CLUSTER
        self._partitions: Sequence[Keys] = (
            divided(address.name, address.partitions) if on_cluster else undivided(address.name)
        )
        self._upkeep = [Upkeep(self._server, keys, teach) for keys in self._partitions]
        self._queries = Queries(self._server, self._partitions)
        self.presence: Presence = RedisPresence(self._server, self._partitions[0])
        self._learn_every = learn_every
        self.missing: Mapping[int, str] = {}
        """See `Store.missing`."""
        self._followed: list[str | None] = [None] * len(self._partitions)
        """The logs that `load` saw; None before it, "" where there was none yet."""
        self._log = Log(self._server, self._partitions, self._followed)

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """See `EventStore.append`. What goes to one partition is logged in one step; repeating it mends the rest."""
        if not events:
            return Appended((), Deltas())
        logged = [as_logged(event) for event in events]
        appended = self._log.append(logged, fold)
        for partition, before, last in appended.spans:
            if last // self._learn_every > before // self._learn_every:
                try:
                    self._upkeep[partition].learn(fold)
                except StoreError as error:  # what was appended is in the log, whatever becomes of the state
                    log.warning("the state was not brought up to date, a later commit will try again: %s", error)
        return appended

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """See `EventStore.events_after`. One round trip, and one before it where partitions are to be chosen from."""
        after = self._places(position)
        counts = [max(limit, 0)]
        if len(after) > 1:
            counts = self._waiting(after, limit)
        read = [number for number, count in enumerate(counts) if count or len(counts) == 1]
        answers = self._server.ask(
            *(
                self._server.together(progress.asked(keys), log_index.stretch(keys, after[number], counts[number]))
                for number, keys in ((number, self._partitions[number]) for number in read)
            )
        )
        events: list[Event] = []
        for number, (figures, entries) in zip(read, answers, strict=True):
            self._ensure_readable(number, after[number], progress.read(figures))
            found = log_index.read_entries([(entry, log_index.as_pairs(fields)) for entry, fields in entries])
            events += (event for _, event in found)
            after[number] = found[-1].position if found else after[number]
        return events, tuple(after)

    def part_of(self, event: Event) -> int:
        """See `EventStore.part_of`."""
        return home(event, len(self._partitions))

    def oldest(self) -> Position:
        """See `EventStore.oldest`."""
        return tuple(now.floor for now in self._progress())

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """See `EventStore.decision`."""
        return self._queries.decision(decision_id)

    def decision_of_completion(self, completion_id: str) -> str | None:
        """See `EventStore.decision_of_completion`."""
        return self._queries.decision_of_completion(completion_id)

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        """See `EventStore.recent_decisions`."""
        found = self._queries.newest([(keys, keys.decisions) for keys in self._partitions], limit)
        return [event for event in found if isinstance(event, Decision)]

    def decisions_until(self, until: datetime, limit: int) -> Sequence[Decision]:
        """See `EventStore.decisions_until`."""
        indexes = [(keys, keys.decisions) for keys in self._partitions]
        found = self._queries.newest(indexes, limit, until_us=micros(until))
        return [event for event in found if isinstance(event, Decision)]

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """See `EventStore.recent_alerts`."""
        found = self._queries.newest([(keys, keys.alerts) for keys in self._partitions], limit)
        return [event for event in found if isinstance(event, Alert)]

    def alert_trail(self, limit: int) -> Sequence[Acknowledgement | Notice]:
        """See `EventStore.alert_trail`."""
        found = self._queries.newest([(keys, keys.alert_trail) for keys in self._partitions], limit)
        return [event for event in found if isinstance(event, Acknowledgement | Notice)]

    def recent_changes(self, limit: int, until: datetime | None = None) -> Sequence[StandingChange]:
        """See `EventStore.recent_changes`."""
        indexes = [(keys, keys.changes) for keys in self._partitions]
        found = self._queries.newest(indexes, limit, until_us=None if until is None else micros(until))
        return [event for event in found if isinstance(event, StandingChange)]

    def signals(self, agent_id: str, after: str, limit: int) -> Sequence[Signal]:
        """See `EventStore.signals`."""
        return self._queries.signals(agent_id, after, limit)

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        """See `EventStore.feedback_history`."""
        found = self._queries.feedback(workflow, stage, tier, limit)
        return [event for event in found if isinstance(event, Feedback)]

    def rated_tiers(self, workflow: str) -> Sequence[tuple[str, str]]:
        """See `EventStore.rated_tiers`."""
        return self._queries.rated_tiers(workflow)

    def clear_feedback(self, workflow: str, stage: str | None, fold: Fold) -> int:  # noqa: ARG002 - nothing to learn
        """See `EventStore.clear_feedback`. One step in each partition: what was restored may be in any."""
        return sum(self._until_done(partial(one.clear, workflow, stage)) for one in self._upkeep)

    def trim(self, before: datetime) -> int:
        """See `EventStore.trim`. Works through the log in small steps, so that others can write in between."""
        end = micros(day_start(before)) // US_PER_DAY
        removed = 0
        for one in self._upkeep:
            while (chunk := self._until_done(partial(one.trim_some, end))) >= 0:
                removed += chunk
        return removed

    def load(self) -> tuple[Deltas, Position]:
        """See `StateStore.load`."""
        loaded: list[tuple[Deltas, Progress]] = []
        missing: dict[int, StoreUnavailable] = {}
        for number, one in enumerate(self._upkeep):
            try:
                loaded.append(self._until_done(one.load))
            except StoreUnavailable as why:
                missing[number] = why
                if len(missing) == len(self._partitions):
                    raise
                loaded.append((Deltas(), Progress()))
        self.missing = said(missing)
        self._followed[:] = [None if number in missing else now.log for number, (_, now) in enumerate(loaded)]
        (state, _), *others = loaded
        state.merge(*(other for other, _ in others))
        return state.climbed(max(now.compacted_at_s for _, now in loaded)), tuple(now.position for _, now in loaded)

    def compact(self, now: datetime) -> None:
        """See `StateStore.compact`."""
        for one in self._upkeep:
            self._until_done(partial(one.compact, now.timestamp()))

    def rebuild(self, fold: Fold) -> None:
        """See `StateStore.rebuild`. Others go on logging meanwhile."""
        for one in self._upkeep:
            self._until_done(partial(one.rebuild, fold))

    def restore(self, state: Deltas, position: Position = START) -> bool:
        """See `StateStore.restore`. The first of the partitions that are gone keeps it for all of them."""
        now = self._progress()
        places = list(enumerate(zip(now, self._followed, strict=True)))
        gone = [number for number, (one, followed) in places if not has_past(one, followed)]
        if len(gone) < len(now):
            # where others have a past, only what was followed and is another now has lost one
            gone = [number for number, (one, followed) in places if followed and one.log != followed]
        young = sum(now[number].position for number in gone) <= YOUNG_LOG
        if not gone or not young or any(has_past(now[number], self._followed[number]) for number in gone):
            return False
        missing = state if len(gone) == len(now) else self._remainder(state, self._places(position), gone)
        if missing is None:
            return False
        return self._until_done(lambda: self._upkeep[gone[0]].restore(missing, self._followed[gone[0]]))

    def close(self) -> None:
        """See `Store.close`."""
        self._server.close()

    def _ensure_readable(self, number: int, after: int, now: Progress) -> None:
        """Raises `PositionLost` where another log took the place of what was read, or a server lost its end."""
        followed = self._followed[number] = self._followed[number] or now.log
        if after < now.floor or after > now.position or followed != now.log:
            raise PositionLost

    def _places(self, position: Position) -> list[int]:
        if position == START:
            return [0] * len(self._partitions)
        if len(position) != len(self._partitions):
            raise PositionLost
        return list(position)

    def _remainder(self, state: Deltas, known: Sequence[int], gone: Sequence[int]) -> Deltas | None:
        """What only the partitions that are gone had taught; None where what the others teach was changed since."""
        held, others, compacted_at_s = Deltas(), Deltas(), 0.0
        held.merge(state)
        for number in (number for number in range(len(known)) if number not in gone):
            taught, now = self._until_done(self._upkeep[number].load)
            if known[number] < now.floor or now.log != self._followed[number]:
                return None
            others.merge(taught)
            held.merge(self._upkeep[number].taught(known[number], now.position))
            compacted_at_s = max(compacted_at_s, now.compacted_at_s)
        lost = {*gone}
        return remainder(
            held.climbed(compacted_at_s),
            others.climbed(compacted_at_s),
            lambda segment: home_of(segment, len(known)) in lost,
        )

    def _waiting(self, after: Sequence[int], limit: int) -> list[int]:
        """How much to read of each partition: nothing of those that are away."""
        answers = self._server.try_each([[progress.asked(keys)] for keys in self._partitions])
        self.missing = {number: str(why) for number, why in enumerate(answers) if isinstance(why, StoreUnavailable)}
        ahead = [0] * len(after)
        for number, (place, answer) in enumerate(zip(after, answers, strict=True)):
            if not isinstance(answer, StoreUnavailable):
                now = progress.read(answer[0])
                self._ensure_readable(number, place, now)
                ahead[number] = now.position - place
        return _shares(ahead, limit)

    def _progress(self) -> list[Progress]:
        return [progress.read(answer) for answer in self._server.ask(*map(progress.asked, self._partitions))]

    def _until_done(self, step: Callable[[], _T | None]) -> _T:
        for _ in range(ATTEMPTS):
            done = step()
            if done is not None:
                return done
        raise worn_out(self.url)


def _shares(waiting: Sequence[int], limit: int) -> list[int]:
    """How much to read of what waits in each partition: `limit` together, and if that allows something of each."""
    counts = [0] * len(waiting)
    while limit > 0 and (more := [number for number, count in enumerate(counts) if count < waiting[number]]):
        each = max(limit // len(more), 1)
        for number in more[:limit]:
            count = min(each, waiting[number] - counts[number])
            counts[number] += count
            limit -= count
    return counts
