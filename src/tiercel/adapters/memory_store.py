"""The store that lives as long as its process, and the model that every other store has to match.

It keeps the log and no learned state: the state is what the log teaches, computed when asked for. Only what trimmed
events taught is kept beside the log.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from tiercel.adapters.codec import SIGNAL, as_logged, kind_of
from tiercel.adapters.memory_presence import MemoryPresence
from tiercel.adapters.undivided import Undivided, place_of
from tiercel.core.logbook import YOUNG_LOG, Rater, conflicts, day_start, event_time, rater, revise
from tiercel.core.statistics.fold import Deltas, fold, micros
from tiercel.core.statistics.forget import forget_ratings
from tiercel.domain.alerts import Alert
from tiercel.domain.decision import Decision
from tiercel.domain.errors import PositionLost
from tiercel.domain.events import Event, Feedback, Outcome, Signal, StandingChange
from tiercel.domain.incident import Acknowledgement, Notice
from tiercel.ports import START, Appended, DecisionRecord, Fold, Position, Presence, Span

_Held = TypeVar("_Held", bound=Event)
_Dated = tuple[int, int, Feedback]
"""A rating with its time and its position in the log, by which it sorts."""


class MemoryStore(Undivided):
    """A log in memory. Thread-safe; grows until `trim`. `teach` is the fold that `load` and `trim` use."""

    def __init__(self, url: str = "memory://", *, teach: Fold = fold) -> None:
        self.url = url
        self.presence: Presence = MemoryPresence()
        self._teach = teach
        self._lock = threading.Lock()
        self._trimmed = Deltas()
        self._compacted_at_s = 0.0
        self._position = 0
        self._floor = 0
        self._tidied = False
        self._superseded: set[int] = set()
        self._enter([])

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        """See `EventStore.append`."""
        accepted: list[Event] = []
        refused: list[str] = []
        with self._lock:
            in_force = dict[Rater, Feedback]()
            fresh = dict[tuple[str, str], Event]()
            for arrived in events:
                event = as_logged(arrived)
                identity = (kind_of(event), event.id)
                logged = self._by_id.get(identity) or fresh.get(identity)
                if logged is not None:
                    if conflicts(event, logged):
                        refused.append(event.id)
                    continue
                who = rater(event) if isinstance(event, Feedback) else None
                if isinstance(event, Feedback) and who is not None:
                    event, newest = revise(event, in_force.get(who) or self._in_force(who))
                    if newest:
                        in_force[who] = event
                fresh[identity] = event
                accepted.append(event)
            deltas = fold(accepted)
            before = self._position
            for event in accepted:
                self._position += 1
                self._log.append((self._position, event))
                self._index(self._position, event)
        if not accepted:
            return Appended((), deltas, tuple(refused))
        return Appended(tuple(accepted), deltas, tuple(refused), (Span(0, before, before + len(accepted)),))

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        """See `EventStore.events_after`."""
        after = place_of(position)
        with self._lock:
            if after < self._floor:
                raise PositionLost
            first = bisect_right(self._log, after, key=_position)
            found = self._log[first : first + limit]
        return [event for _, event in found], (found[-1][0] if found else after,)

    def oldest(self) -> Position:
        """See `EventStore.oldest`."""
        return (self._floor,)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """See `EventStore.decision`."""
        with self._lock:
            decision = self._by_id.get(("decision", decision_id))
            if not isinstance(decision, Decision):
                return None
            dated = sorted(self._ratings_of.get(decision_id, {}).values(), key=_order)
            outcomes = tuple(self._outcomes_of.get(decision_id, ()))
        return DecisionRecord(decision, outcomes, tuple(rating for _, _, rating in dated))

    def decision_of_completion(self, completion_id: str) -> str | None:
        """See `EventStore.decision_of_completion`."""
        return self._of_completion.get(completion_id)

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        """See `EventStore.recent_decisions`."""
        with self._lock:
            return _newest(self._decisions, limit)

    def decisions_until(self, until: datetime, limit: int) -> Sequence[Decision]:
        """See `EventStore.decisions_until`."""
        with self._lock:
            return _newest(self._decisions, limit, until)

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        """See `EventStore.recent_alerts`."""
        with self._lock:
            return _newest(self._alerts, limit)

    def alert_trail(self, limit: int) -> Sequence[Acknowledgement | Notice]:
        """See `EventStore.alert_trail`."""
        with self._lock:
            return _newest(self._trail, limit)

    def recent_changes(self, limit: int, until: datetime | None = None) -> Sequence[StandingChange]:
        """See `EventStore.recent_changes`."""
        with self._lock:
            return _newest(self._changes, limit, until)

    def signals(self, agent_id: str, after: str, limit: int) -> Sequence[Signal]:
        """See `EventStore.signals`."""
        with self._lock:
            known = self._by_id.get((SIGNAL, after))
            start = next((i for i, s in enumerate(self._signals, 1) if s is known), 0)
            mine = (signal for signal in self._signals[start:] if signal.to_agent in ("", agent_id))
            return list(islice(mine, max(limit, 0)))

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        """See `EventStore.feedback_history`."""
        with self._lock:
            return _newest(self._history.get((workflow, stage, tier), []), limit)

    def rated_tiers(self, workflow: str) -> Sequence[tuple[str, str]]:
        """See `EventStore.rated_tiers`."""
        with self._lock:
            rated = [(w, stage, tier) for (w, stage, tier), history in self._history.items() if history]
        return sorted((stage, tier) for w, stage, tier in rated if w == workflow and tier is not None)

    def clear_feedback(self, workflow: str, stage: str | None, fold: Fold) -> int:  # noqa: ARG002 - nothing to learn anew
        """See `EventStore.clear_feedback`."""
        prefix = ("stage", workflow) if stage is None else ("stage", workflow, stage)
        with self._lock:
            stages = [history for place, history in self._history.items() if place[2] is None and place[0] == workflow]
            cleared = [rating for history in stages for _, _, rating in history]
            cleared = [rating for rating in cleared if rating.segment[: len(prefix)] == prefix]
            forget_ratings(self._trimmed, workflow, stage)
            self._lose_position()
            rated = ((position, event.segment) for position, event in self._log if isinstance(event, Feedback))
            gone = {position for position, segment in rated if segment[: len(prefix)] == prefix}
            self._enter([entry for entry in self._log if entry[0] not in gone])
        return len(cleared)

    def trim(self, before: datetime) -> int:
        """See `EventStore.trim`."""
        cut_us = micros(day_start(before))
        with self._lock:
            old = [(position, event) for position, event in self._log if micros(event_time(event)) < cut_us]
            if old:
                self._trimmed.merge(self._teach([event for _, event in old]))
                self._floor = max(self._floor, old[-1][0])
                self._tidied = True
                gone = {position for position, _ in old}
                self._enter([entry for entry in self._log if entry[0] not in gone])
        return len(old)

    def load(self) -> tuple[Deltas, Position]:
        """See `StateStore.load`."""
        with self._lock:
            state = Deltas()
            state.merge(self._trimmed)
            state.merge(self._teach([event for _, event in self._log]))
            return state.climbed(self._compacted_at_s), (self._position,)

    def compact(self, now: datetime) -> None:
        """See `StateStore.compact`."""
        with self._lock:
            self._compacted_at_s = now.timestamp()
            self._tidied = True
            self._trimmed = self._trimmed.climbed(self._compacted_at_s)

    def rebuild(self, fold: Fold) -> None:  # noqa: ARG002 - the state is never anything but what the log teaches
        """See `StateStore.rebuild`."""
        with self._lock:
            self._lose_position()

    def restore(self, state: Deltas, position: Position = START) -> bool:  # noqa: ARG002 - it is gone whole or not at all
        """See `StateStore.restore`."""
        with self._lock:
            if self._position > YOUNG_LOG or (self._tidied and self._position):
                return False
            self._trimmed.merge(state)
            self._lose_position()
        return True

    def close(self) -> None:
        """See `Store.close`."""

    def _lose_position(self) -> None:
        self._position += 1
        self._floor = self._position
        self._tidied = True

    def _enter(self, log: list[tuple[int, Event]]) -> None:
        """Hold `log` and nothing else."""
        self._log = log
        self._by_id: dict[tuple[str, str], Event] = {}
        self._decisions: list[tuple[int, int, Decision]] = []
        self._alerts: list[tuple[int, int, Alert]] = []
        self._changes: list[tuple[int, int, StandingChange]] = []
        self._trail: list[tuple[int, int, Acknowledgement | Notice]] = []
        self._signals: list[Signal] = []
        self._outcomes_of: dict[str, list[Outcome]] = {}
        self._of_completion: dict[str, str] = {}
        self._ratings_of: dict[str, dict[str, _Dated]] = {}
        self._history: dict[tuple[str, str, str | None], list[_Dated]] = {}
        for position, event in log:
            self._index(position, event)

    def _index(self, position: int, event: Event) -> None:
        self._by_id[kind_of(event), event.id] = event
        if isinstance(event, Decision):
            insort(self._decisions, (micros(event.decided_at), position, event), key=_order)
        elif isinstance(event, Alert):
            insort(self._alerts, (micros(event_time(event)), position, event), key=_order)
        elif isinstance(event, StandingChange):
            insort(self._changes, (micros(event.changed_at), position, event), key=_order)
        elif isinstance(event, Outcome):
            self._outcomes_of.setdefault(event.decision_id, []).append(event)
            if event.completion_id:
                self._of_completion[event.completion_id] = event.decision_id
        elif isinstance(event, Acknowledgement | Notice):
            insort(self._trail, (micros(event_time(event)), position, event), key=_order)
        elif isinstance(event, Signal):
            self._signals.append(event)
        elif isinstance(event, Feedback):
            self._index_rating((micros(event.recorded_at), position, event))

    def _index_rating(self, dated: _Dated) -> None:
        at_us, position, rating = dated
        if position in self._superseded:
            return
        if rater(rating) is not None:
            held = self._ratings_of.setdefault(rating.decision_id, {})
            revised = held.get(rating.source)
            if revised is not None:
                self._superseded.add(min(dated, revised, key=_order)[1])
                if at_us <= revised[0]:
                    return
                for history in self._histories(revised[2]):
                    del history[bisect_left(history, _order(revised), key=_order)]
            held[rating.source] = dated
        for history in self._histories(rating):
            insort(history, dated, key=_order)

    def _in_force(self, who: Rater) -> Feedback | None:
        decision_id, source = who
        dated = self._ratings_of.get(decision_id, {}).get(source)
        return dated[2] if dated else None

    def _histories(self, rating: Feedback) -> list[list[_Dated]]:
        if rating.segment[0] != "stage":
            return []
        _, workflow, stage = rating.segment
        return [self._history.setdefault((workflow, stage, tier), []) for tier in (None, rating.tier)]


def _newest(held: Sequence[tuple[int, int, _Held]], limit: int, until: datetime | None = None) -> list[_Held]:
    """The newest `limit` of what sorts by its time, up to `until`, the newest first."""
    end = len(held) if until is None else bisect_right(held, micros(until), key=_time)
    newest = held[max(end - limit, 0) : end] if limit > 0 else ()
    return [event for _, _, event in reversed(newest)]


def _position(entry: tuple[int, Event]) -> int:
    return entry[0]


def _time(dated: tuple[int, int, object]) -> int:
    return dated[0]


def _order(dated: tuple[int, int, object]) -> tuple[int, int]:
    return dated[0], dated[1]
