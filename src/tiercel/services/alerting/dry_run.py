"""What rules would have done: a log replayed at its own times, with the same looks and transitions as live alerts.

While events come or an alert stands it is looked every `CHECK_S`, as a gateway does; in between once a time bucket, for
nothing changes more often then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tiercel.core.alerts.rules import Alarm, Breach, transition
from tiercel.core.alerts.watch import NO_TIERS, Watch
from tiercel.core.logbook import event_time
from tiercel.core.statistics.buckets import FINEST_US
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertKey, AlertThresholds
from tiercel.domain.events import Event, Feedback, Outcome

CHECK_S = 5.0
_CHECK_US = round(CHECK_S * 1e6)
_COMPACT_US = 3_600_000_000


@dataclass(slots=True)
class Episode:
    """One incident that would have been: what about, when it fired and was over (None: it stands at the log's end).

    `breach` is its worst, `fired` how often its alert fired.
    """

    key: AlertKey
    breach: Breach
    fired_at: datetime
    resolved_at: datetime | None = None
    fired: int = 1


class DryRun(NamedTuple):
    """What would have happened between two times, in how many events; and every incident, in the order they began."""

    first: datetime | None
    last: datetime | None
    events: int
    episodes: Sequence[Episode]


class Rehearsal:
    """Feed it the events of a log, in order, and `end` it."""

    def __init__(
        self, thresholds: AlertThresholds, rules: Sequence[AlertRule], tiers: Mapping[str, str] = NO_TIERS
    ) -> None:
        self._thresholds = thresholds
        self._resolve_after_s = {rule.name: rule.resolve_after_s for rule in rules if rule.resolve_after_s is not None}
        self._watch = Watch(thresholds, rules, tiers)
        self._knowledge = Knowledge()
        self._alarms: dict[AlertKey, Alarm] = {}
        self._standing: dict[AlertKey, Episode] = {}
        self._episodes: list[Episode] = []
        self._waiting: list[Event] = []
        self._first_us = self._last_us = self._looked_us = self._compacted_us = 0
        self._count = 0

    def add(self, event: Event) -> None:
        """The next event. One that is older than those before it counts in its own time, and is seen now."""
        at_us = micros(event_time(event))
        if not self._count:
            self._first_us = self._last_us = self._looked_us = self._compacted_us = at_us
        self._count += 1
        while at_us - self._looked_us >= _CHECK_US:
            self._look(self._next_us(at_us))
        if isinstance(event, Outcome | Feedback):
            self._waiting.append(event)
        self._last_us = max(self._last_us, at_us)

    def end(self, keep: Callable[[AlertKey], bool] = lambda _: True) -> DryRun:
        """Everything that would have happened, as far as it is to be kept."""
        if not self._count:
            return DryRun(None, None, 0, ())
        self._look(self._last_us)
        episodes = [episode for episode in self._episodes if keep(episode.key)]
        return DryRun(_time(self._first_us), _time(self._last_us), self._count, episodes)

    def _next_us(self, until_us: int) -> int:
        """When it is looked next, at `until_us` at the latest."""
        quiet = not self._waiting and not self._standing
        step_us = FINEST_US - self._looked_us % FINEST_US if quiet else _CHECK_US
        return min(self._looked_us + step_us, until_us)

    def _look(self, now_us: int) -> None:
        self._knowledge.add(fold(self._waiting), now_us=now_us)
        self._waiting = []
        if now_us - self._compacted_us >= _COMPACT_US:
            self._knowledge.compact(now_us / 1e6)
            self._compacted_us = now_us
        seen = self._watch.look(self._knowledge, now_us)
        for key in tuple(self._alarms | seen):
            self._step(key, seen.get(key), now_us)
        self._looked_us = now_us

    def _step(self, key: AlertKey, breach: Breach | None, now_us: int) -> None:
        self._alarms[key], fires, resolves = transition(
            self._alarms.get(key, Alarm()),
            breach.severity if breach else None,
            now_us,
            cooldown_us=round(self._thresholds.cooldown_s * 1e6),
            resolve_after_us=round(self._resolve_after_s.get(key.rule, self._thresholds.resolve_after_s) * 1e6),
        )
        if resolves and not fires:
            self._standing.pop(key).resolved_at = _time(now_us)
        if not (fires and breach):
            return
        standing = self._standing.get(key)
        if standing is None:
            self._standing[key] = Episode(key, breach, _time(now_us))
            self._episodes.append(self._standing[key])
            return
        standing.fired += 1
        if breach.severity.rank > standing.breach.severity.rank:
            standing.breach = breach


def rehearse(
    events: Iterable[Event],
    thresholds: AlertThresholds,
    rules: Sequence[AlertRule],
    *,
    tiers: Mapping[str, str] = NO_TIERS,
    keep: Callable[[AlertKey], bool] = lambda _: True,
    progress: Callable[[int, datetime], None] | None = None,
) -> DryRun:
    """What `rules` and `thresholds` would have made of a log. Cost: a look for every 5 s in which something happened.

    `progress` is told now and then how many events were read, and when the last of them happened.
    """
    rehearsal = Rehearsal(thresholds, rules, tiers)
    for number, event in enumerate(events, 1):
        rehearsal.add(event)
        if progress is not None and number % 1_000 == 0:
            progress(number, event_time(event))
    return rehearsal.end(keep)


def _time(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
