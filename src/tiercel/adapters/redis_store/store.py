"""The store in a Redis or Valkey server. Any number of processes may open the same one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from tiercel.adapters.codec import as_logged
from tiercel.adapters.redis_store import appending, log_index, progress
from tiercel.adapters.redis_store.keys import US_PER_DAY, Key, Keys
from tiercel.adapters.redis_store.log_index import Logged
from tiercel.adapters.redis_store.server import Server
from tiercel.adapters.redis_store.upkeep import Upkeep
from tiercel.adapters.undivided import place_of
from tiercel.core.logbook import day_start, event_time
from tiercel.core.statistics.fold import Deltas, fold, micros
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import PositionLost, StoreError, StoreUnavailable
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.ports import Appended, DecisionRecord, Fold, Position, Span

log = logging.getLogger("tiercel.store")

DEFAULT_TIMEOUT_S = 1.0
DEFAULT_LEARN_EVERY = 10_000
ATTEMPTS = 30
"""Of a step that others' steps made void. Each time one of theirs was done, so all together get on."""

_T = TypeVar("_T")


class RedisStore:
    """A log and its learned state in the server at `url` (redis://host:6379/0?name=tiercel). Thread-safe.

    `teach` is the fold that `load` and `trim` use. The state is brought up to date every `learn_every` events, by
    whoever logs the last of them. No wait for the network is longer than `timeout_s`. Opening does not connect.
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
        self._keys = Keys(self._server.name)
        self._upkeep = Upkeep(self._server, self._keys, teach)
        self._learn_every = learn_every
        self._followed: str | None = None
        """The log that `load` saw; None before it, "" where there was none yet."""

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """See `EventStore.append`."""
        if not events:
            return Appended((), Deltas())
        logged = [as_logged(event) for event in events]
        appended = self._until_done(lambda: self._append(logged, fold))
        if any(last // self._learn_every > before // self._learn_every for _, before, last in appended.spans):
            try:
                self._upkeep.learn(fold)
            except StoreError as error:  # what was appended is in the log, whatever becomes of the state
                log.warning("the state was not brought up to date, a later commit will try again: %s", error)
        return appended

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """See `EventStore.events_after`."""
        after = place_of(position)
        answer, entries = self._server.ask(
            progress.asked(self._keys), log_index.stretch(self._keys, after, max(limit, 0)), at_once=True
        )
        now = progress.read(answer)
        followed = self._followed = self._followed or now.log
        # another log took the place of the one that was read, or the server lost its end
        if after < now.floor or after > now.position or followed != now.log:
            raise PositionLost
        found = log_index.read_entries(entries)
        return [event for _, event in found], (found[-1].position if found else after,)

    def oldest(self) -> Position:
        """See `EventStore.oldest`."""
        (answer,) = self._server.ask(progress.asked(self._keys))
        return (progress.read(answer).floor,)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """See `EventStore.decision`."""
        at, about = self._server.ask(
            ("HGET", self._keys.ids.name, f"decision:{decision_id}"),
            ("HGETALL", self._keys.about(decision_id).name),
        )
        if at is None:
            return None
        found = [event for _, event in sorted(self._entries((at, *about.values())), key=_position)]
        decision = next((event for event in found if isinstance(event, Decision)), None)
        if decision is None:
            return None
        ratings = sorted((event for event in found if isinstance(event, Feedback)), key=event_time)
        return DecisionRecord(decision, tuple(event for event in found if isinstance(event, Outcome)), tuple(ratings))

    def decision_of_completion(self, completion_id: str) -> str | None:
        """See `EventStore.decision_of_completion`."""
        prefix = log_index.completion(completion_id)
        command = ("ZREVRANGEBYLEX", self._keys.completions.name, f"[{prefix}:", f"[{prefix}", "LIMIT", 0, 1)
        (members,) = self._server.ask(command)  # digits sort before the colon
        found = self._entries(member.rpartition(b"\x00")[2] for member in members)
        return next((event.decision_id for _, event in found if isinstance(event, Outcome)), None)

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        """See `EventStore.recent_decisions`."""
        return [event for event in self._newest([self._keys.decisions], limit) if isinstance(event, Decision)]

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """See `EventStore.recent_alerts`."""
        return [event for event in self._newest([self._keys.alerts], limit) if isinstance(event, Alert)]

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        """See `EventStore.feedback_history`."""
        tiers = [tier] if tier is not None else [name for where, name in self._rated(workflow) if where == stage]
        histories = [self._keys.history(workflow, stage, name) for name in tiers if name is not None]
        return [event for event in self._newest(histories, limit) if isinstance(event, Feedback)]

    def rated_tiers(self, workflow: str) -> Sequence[tuple[str, str]]:
        """See `EventStore.rated_tiers`."""
        named = [(stage, tier) for stage, tier in self._rated(workflow) if tier is not None]
        counts = self._server.ask(*(("ZCARD", self._keys.history(workflow, *names).name) for names in named))
        return sorted(names for names, count in zip(named, counts, strict=True) if count)

    def clear_feedback(self, workflow: str, stage: str | None, fold: Fold) -> int:  # noqa: ARG002 - nothing to learn
        """See `EventStore.clear_feedback`."""
        return self._until_done(lambda: self._upkeep.clear(workflow, stage))

    def trim(self, before: datetime) -> int:
        """See `EventStore.trim`. Works through the log in small steps, so that others can write in between."""
        end = micros(day_start(before)) // US_PER_DAY
        removed = 0
        while (chunk := self._until_done(lambda: self._upkeep.trim_some(end))) >= 0:
            removed += chunk
        return removed

    def load(self) -> tuple[Deltas, Position]:
        """See `StateStore.load`."""
        state, now = self._until_done(self._upkeep.load)
        self._followed = now.log
        return state.climbed(now.compacted_at_s), (now.position,)

    def compact(self, now: datetime) -> None:
        """See `StateStore.compact`."""
        self._until_done(lambda: self._upkeep.compact(now.timestamp()))

    def rebuild(self, fold: Fold) -> None:
        """See `StateStore.rebuild`. Others go on logging meanwhile."""
        self._until_done(lambda: self._upkeep.rebuild(fold))

    def restore(self, state: Deltas) -> bool:
        """See `StateStore.restore`."""
        return self._until_done(lambda: self._upkeep.restore(state, self._followed))

    def close(self) -> None:
        """See `Store.close`."""
        self._server.close()

    def _append(self, events: Sequence[Event], fold: Fold) -> Appended | None:
        known = appending.ask(self._server, self._keys, events)
        if self._followed and known.now.log != self._followed:
            # who learned from the log that is gone has to tell the one in its place before any event does
            raise PositionLost
        batch = appending.judge(events, known)
        deltas = fold(batch.accepted)
        if not batch.accepted:
            return Appended((), deltas, tuple(batch.refused))
        before = self._server.commit(appending.write(self._keys, known, batch))
        if before is None:
            return None
        span = Span(0, before, before + len(batch.accepted))
        return Appended(tuple(batch.accepted), deltas, tuple(batch.refused), (span,))

    def _newest(self, indexes: Iterable[Key], limit: int) -> list[Event]:
        if limit <= 0:
            return []
        answers = self._server.ask(*(("ZREVRANGE", key.name, 0, limit - 1) for key in indexes))
        found = self._entries(member for members in answers for member in members)
        found.sort(key=lambda entry: (event_time(entry.event), entry.position), reverse=True)
        return [event for _, event in found[:limit]]

    def _rated(self, workflow: str) -> list[tuple[str, str | None]]:
        return log_index.rated(self._server, self._keys, workflow)

    def _entries(self, positions: Iterable[bytes]) -> list[Logged]:
        return log_index.entries(self._server, self._keys, positions)

    def _until_done(self, step: Callable[[], _T | None]) -> _T:
        for _ in range(ATTEMPTS):
            done = step()
            if done is not None:
                return done
        raise StoreUnavailable(f"{self.url}: others changed the log {ATTEMPTS} times while this was worked out")


def _position(entry: Logged) -> int:
    return entry.position
