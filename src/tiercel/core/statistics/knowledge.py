"""The learned state of one process, in memory: what policies read and events add to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from tiercel.core.statistics.buckets import FOREVER_S, Bucket, climb
from tiercel.core.statistics.fold import Deltas, Key
from tiercel.core.statistics.recent_outcomes import RecentOutcomes
from tiercel.core.statistics.recent_ratings import RecentRatings
from tiercel.core.statistics.sums import Sums, total
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment

_NO_OUTCOMES = RecentOutcomes()
_NO_RATINGS = RecentRatings()


class Knowledge:
    """Learned state: sums per key and time bucket, the newest samples per key, and who serves each segment.

    One writer at a time (a lock sees to it); readers take no lock and may see a batch half applied, which is as good
    as having read a moment earlier.
    """

    def __init__(self) -> None:
        self._sums: dict[Key, dict[Bucket, Sums]] = {}
        self._outcomes: dict[Key, RecentOutcomes] = {}
        self._ratings: dict[Key, RecentRatings] = {}
        self._standings: dict[tuple[str, Segment], StandingChange] = {}
        self._lock = threading.Lock()
        self.version = 0

    def add(self, deltas: Deltas) -> None:
        """Add what some events teach."""
        with self._lock:
            for (key, bucket), sums in deltas.sums.items():
                buckets = self._sums.setdefault(key, {})
                held = buckets.get(bucket)
                if held is None:
                    held = buckets[bucket] = Sums()
                held.merge(sums)
            for key, outcomes in deltas.outcomes.items():
                self._outcomes.setdefault(key, RecentOutcomes()).merge(outcomes)
            for key, ratings in deltas.ratings.items():
                self._ratings.setdefault(key, RecentRatings()).merge(ratings)
            for place, standing in deltas.standings.items():
                held_standing = self._standings.get(place)
                if held_standing is None or held_standing.revision < standing.revision:
                    self._standings[place] = standing
            self.version += 1

    def replace(self, deltas: Deltas) -> None:
        """Forget everything and hold `deltas` instead (after a restart, a rebuild or a clearing)."""
        fresh = Knowledge()
        fresh.add(deltas)
        with self._lock:
            self._sums, self._outcomes, self._ratings = fresh._sums, fresh._outcomes, fresh._ratings
            self._standings = fresh._standings
            self.version += 1

    def compact(self, now_s: float) -> None:
        """Move what has aged into coarser buckets. Cost linear in the buckets; a housekeeping task, not a request's."""
        with self._lock:
            for key, buckets in self._sums.items():
                moved: dict[Bucket, Sums] = {}
                for bucket, sums in buckets.items():
                    moved.setdefault(climb(bucket, now_s), Sums()).merge(sums)
                self._sums[key] = moved

    def outcomes(self, key: Key) -> RecentOutcomes:
        """The newest outcomes of `key` (empty if there are none). Read only."""
        return self._outcomes.get(key, _NO_OUTCOMES)

    def ratings(self, key: Key) -> RecentRatings:
        """The newest ratings of `key` (empty if there are none). Read only."""
        return self._ratings.get(key, _NO_RATINGS)

    def standing(self, policy: str, segment: Segment) -> StandingChange | None:
        """The last change of what serves `segment` under `policy`, or None if it never changed."""
        return self._standings.get((policy, segment))

    def sums(self, key: Key, *, since_s: float | None = None) -> Sums:
        """The total of `key`, over all time or since `since_s` (epoch seconds).

        A window counts whole buckets: it is exact to 5 minutes within 3 hours, to an hour within 8 days, to a day
        within a month; what is older than that is in no window. Cost: one addition per bucket, at most about 240.
        """
        buckets = self._sums.get(key)
        if not buckets:
            return Sums()
        return total(
            sums
            for (width_s, start_s), sums in tuple(buckets.items())
            if since_s is None or (width_s < FOREVER_S and start_s + width_s > since_s)
        )

    def buckets(self, key: Key) -> list[tuple[Bucket, Sums]]:
        """The time buckets of `key`, oldest first: for charts over time."""
        return sorted(self._sums.get(key, {}).items(), key=lambda item: item[0].start_s)

    def keys(self, prefix: Key = ()) -> Iterator[Key]:
        """Every key that starts with `prefix`."""
        length = len(prefix)
        for key in tuple(self._sums):
            if key[:length] == prefix:
                yield key

    def export(self) -> Deltas:
        """Everything held, as deltas: for comparing a rebuilt state with a live one, and for handing it on."""
        with self._lock:
            exported = Deltas(standings=dict(self._standings))
            held = Deltas(
                sums={(key, bucket): s for key, buckets in self._sums.items() for bucket, s in buckets.items()},
                outcomes=self._outcomes,
                ratings=self._ratings,
            )
            exported.merge(held)
        return exported
