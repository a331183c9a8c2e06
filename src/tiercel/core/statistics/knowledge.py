"""The learned state of one process, in memory: what policies read and events add to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from tiercel.core.statistics.arms import is_past_arm
from tiercel.core.statistics.buckets import CLOCKS_APART_US, FOREVER_S, Bucket, climb
from tiercel.core.statistics.fold import Deltas, Key, segment_of
from tiercel.core.statistics.label_clock import LabelClock
from tiercel.core.statistics.moments import Moments
from tiercel.core.statistics.recent_outcomes import RecentOutcomes
from tiercel.core.statistics.recent_ratings import RecentRatings
from tiercel.core.statistics.sums import Sums, total
from tiercel.core.statistics.usage import Usage
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment

_T = TypeVar("_T")
_NO_OUTCOMES = RecentOutcomes()
_NO_RATINGS = RecentRatings()
_UNREAD = LabelClock()

MAX_SEGMENTS = 10_000


class Knowledge:
    """Learned state: sums per key and time bucket, the newest samples per key, and who serves each segment.

    One writer at a time (a lock sees to it). Decisions read the newest samples and the standings without the lock and
    may see a batch half applied, which is as good as having read a moment earlier. Sums are read whole, under the lock.

    At most `max_segments` segments are held, so that made-up names do not fill the memory: those learned of longest ago
    go, and what they added to the totals and to their models stays. Below that number nothing is ever forgotten. (No
    time is looked at: a clock that steps makes nothing go.)
    """

    def __init__(self, *, max_segments: int = MAX_SEGMENTS) -> None:
        self._max_segments = max_segments
        # the keys of each segment, the segment learned of longest ago first
        self._segments: dict[Segment, set[Key]] = {}
        self._versions: dict[Segment, int] = {}
        self._models: dict[str, None] = {}
        self._sums: dict[Key, dict[Bucket, Sums]] = {}
        # everything but the sums, which are asked for by key
        self._newest = Deltas()
        self._lock = threading.Lock()
        self.version = 0
        self._supposed: dict[tuple[str, Segment], StandingChange] = {}
        # how often everything was replaced: what was concluded before no longer follows
        self.epoch = 0

    def add(self, deltas: Deltas, *, now_us: int | None = None) -> None:
        """Add what some events teach.

        With `now_us`, the newest samples of what they touch are those until now: what a clock stamped while it was
        ahead stays in the sums, and makes way among the newest instead of crowding out what happens until that time.
        The samples' own time decides, so the order of events still does not matter.
        """
        if not deltas:
            return  # decisions alone teach nothing, and what was concluded stays good
        until_us = None if now_us is None else now_us + CLOCKS_APART_US
        with self._lock:
            self._merge(deltas, until_us)
            self._bound()
            self.version += 1

    def _merge(self, deltas: Deltas, until_us: int | None) -> None:
        keys = chain((key for key, _ in deltas.sums), deltas.outcomes, deltas.ratings, deltas.moments, deltas.usage)
        touched = {segment for key in keys if (segment := self._learned_of(key)) is not None}
        # as a dictionary they keep the order in which they were first heard of
        self._models |= dict.fromkeys(key[1] for key, _ in deltas.sums if len(key) == 2 and key[0] == "model")
        for (key, bucket), sums in deltas.sums.items():
            buckets = self._sums.setdefault(key, {})
            held = buckets.get(bucket)
            if held is None:
                held = buckets[bucket] = Sums()
            held.merge(sums)
        self._newest.merge(replace(deltas, sums={}), until_us=until_us)
        # last: whoever reads the new version reads what is new as well
        self._versions |= dict.fromkeys(touched, self.version + 1)

    def _learned_of(self, key: Key) -> Segment | None:
        segment = segment_of(key)
        if segment is not None:
            keys = self._segments.pop(segment, None) or set()
            keys.add(key)
            self._segments[segment] = keys
        return segment

    def _bound(self) -> None:
        while len(self._segments) > self._max_segments:
            segment = next(iter(self._segments))
            self._newest.clocks.pop(segment, None)
            self._versions.pop(segment, None)
            for key in self._segments.pop(segment):
                self._sums.pop(key, None)
                self._newest.outcomes.pop(key, None)
                self._newest.ratings.pop(key, None)
                self._newest.moments.pop(key, None)
                self._newest.usage.pop(key, None)

    def replace(self, deltas: Deltas) -> None:
        """Forget everything and hold `deltas` instead (after a restart, a rebuild or a clearing)."""
        fresh = Knowledge(max_segments=self._max_segments)
        fresh._merge(deltas, None)
        newest_us = _newest_us(deltas)
        fresh._segments = dict(sorted(fresh._segments.items(), key=lambda item: newest_us.get(item[0], 0)))
        fresh._bound()
        with self._lock:
            self._sums, self._newest, self._segments = fresh._sums, fresh._newest, fresh._segments
            self._models = fresh._models
            self._versions = {}
            self.version += 1
            self.epoch += 1

    def version_of(self, segment: Segment) -> tuple[int, int]:
        """Changes with whatever is learned of `segment`, and with nothing else."""
        return self.epoch, self._versions.get(segment, 0)

    def segments(self) -> list[Segment]:
        """Every segment held, that learned of longest ago first."""
        with self._lock:
            return list(self._segments)

    def learned_since(self, version: int) -> list[Segment]:
        """The segments that something was learned of after that version; cost linear in them, not in all there are."""
        found: list[Segment] = []
        with self._lock:
            for segment in reversed(self._segments):
                if self._versions.get(segment, 0) <= version:
                    break
                found.append(segment)
        return found

    def keys_of(self, segment: Segment) -> tuple[Key, ...]:
        """Every key of a segment, of whatever is kept by keys."""
        with self._lock:
            return tuple(self._segments.get(segment, ()))

    def models(self) -> tuple[str, ...]:
        """Every model that was called or rated."""
        return tuple(self._models)

    def compact(self, now_s: float) -> None:
        """Move what has aged into coarser buckets. Cost linear in the buckets; a housekeeping task, not a request's."""
        with self._lock:
            for key, buckets in self._sums.items():
                moved: dict[Bucket, Sums] = {}
                for bucket, sums in buckets.items():
                    moved.setdefault(climb(bucket, now_s), Sums()).merge(sums)
                self._sums[key] = moved
            self._newest.drop_past_eras()
            for key in [key for key in self._sums if is_past_arm(key, self._newest.standings)]:
                del self._sums[key]
                self._segments.get(key[:-2], set()).discard(key)

    def outcomes(self, key: Key) -> RecentOutcomes:
        """The newest outcomes of `key` (empty if there are none). Read only."""
        return self._newest.outcomes.get(key, _NO_OUTCOMES)

    def ratings(self, key: Key) -> RecentRatings:
        """The newest ratings of `key` (empty if there are none). Read only."""
        return self._newest.ratings.get(key, _NO_RATINGS)

    def standing(self, policy: str, segment: Segment) -> StandingChange | None:
        """The last change of what serves `segment` under `policy`, or None if it never changed."""
        return self._supposed.get((policy, segment)) or self._newest.standings.get((policy, segment))

    def standings(self, policy: str) -> list[StandingChange]:
        """What stands under `policy`, of whatever segment; cost linear in all standings."""
        with self._lock:
            return [standing for (under, _), standing in self._newest.standings.items() if under == policy]

    @property
    def changed(self) -> int:
        """How many standings there are, under all policies. They are never forgotten."""
        return len(self._newest.standings)

    def supposing(self, change: StandingChange) -> Knowledge:
        """The same as if `change` stood: to ask, at this moment, what would follow from it. Shared, not copied."""
        view = copy(self)
        view._supposed = {(change.policy, change.segment): change}  # noqa: SLF001 - its own
        return view

    def moments(self, key: Key) -> Moments | None:
        """The moments at `key` (fold.moments_key), or None. Read only."""
        return self._newest.moments.get(key)

    def all_moments(self) -> list[tuple[Key, Moments]]:
        """Every moments there are, with their keys. Read only; cost linear in them."""
        with self._lock:
            return list(self._newest.moments.items())

    def usage(self, key: Key) -> Usage | None:
        """The usage at `key` (fold.usage_key), or None. Read only."""
        return self._newest.usage.get(key)

    def all_usage(self) -> list[tuple[Key, Usage]]:
        """All usage there is, with its keys. Read only; cost linear in it."""
        with self._lock:
            return list(self._newest.usage.items())

    def clock(self, segment: Segment) -> LabelClock:
        """The label clock of `segment`."""
        return self._newest.clocks.get(segment, _UNREAD)

    def sums(self, key: Key, *, since_s: float | None = None, now_s: float | None = None) -> Sums:
        """The total of `key`, over all time or since `since_s` (epoch seconds).

        With `now_s`, without what a clock stamped that was ahead of it by more than clocks may be apart.

        A window counts whole buckets: it is exact to 5 minutes within 3 hours, to an hour within 8 days, to a day
        within a month; what is older than that is in no window. Cost: one addition per bucket, at most about 240.
        """
        with self._lock:
            return total(
                sums
                for (width_s, start_s), sums in self._sums.get(key, {}).items()
                if (since_s is None or (width_s < FOREVER_S and start_s + width_s > since_s))
                and (now_s is None or start_s <= now_s + CLOCKS_APART_US / 1e6)
            )

    def buckets(self, key: Key) -> list[tuple[Bucket, Sums]]:
        """The time buckets of `key`, oldest first: for charts over time."""
        with self._lock:
            copied = [(bucket, total([sums])) for bucket, sums in self._sums.get(key, {}).items()]
        return sorted(copied, key=lambda item: item[0].start_s)

    def look(self, read: Callable[[Mapping[Key, Mapping[Bucket, Sums]]], _T]) -> _T:
        """What `read` makes of the buckets of every key, all as they stand at one moment. They are not to be changed.

        Learning waits while it reads (decisions do not): it should add up and no more.
        """
        with self._lock:
            return read(self._sums)

    def keys(self, prefix: Key = ()) -> Iterator[Key]:
        """Every key that starts with `prefix`."""
        length = len(prefix)
        for key in tuple(self._sums):
            if key[:length] == prefix:
                yield key

    def export(self) -> Deltas:
        """Everything held, as deltas: for comparing a rebuilt state with a live one, and for handing it on."""
        with self._lock:
            sums = {(key, bucket): s for key, buckets in self._sums.items() for bucket, s in buckets.items()}
            exported = Deltas()
            exported.merge(replace(self._newest, sums=sums))
        return exported


def _newest_us(deltas: Deltas) -> dict[Segment, int]:
    """When each segment was last heard of."""
    newest: dict[Segment, int] = {}
    samples = [(key, sample.at_us) for key, outcomes in deltas.outcomes.items() for sample in outcomes]
    samples += [(key, sample.at_us) for key, ratings in deltas.ratings.items() for _, sample in ratings]
    for key, at_us in samples:
        segment = segment_of(key)
        if segment is not None:
            newest[segment] = max(at_us, newest.get(segment, 0))
    return newest
