"""Taking ratings back out of a learned state, exactly.

What a stage's ratings added to the wider keys stands in the stage's own keys too, so it can be subtracted without the
log: a tier's ratings count for everything, a model's for that model. The newest ratings of a model are the newest of
its newest per segment.
"""

from __future__ import annotations

from tiercel.core.statistics.fold import OVERALL, Deltas, Key, model_key
from tiercel.core.statistics.recent_ratings import RecentRatings
from tiercel.core.statistics.sums import Sums


def forget_ratings(state: Deltas, workflow: str, stage: str | None) -> None:
    """Make `state` what it would be without the ratings of a workflow (or of one stage)."""
    prefix: Key = ("stage", workflow) if stage is None else ("stage", workflow, stage)
    for (key, bucket), sums in list(state.sums.items()):
        if not _within(key, prefix):
            continue
        if key[-2] != "arm":  # an arm's ratings count in no wider key
            parent = state.sums.setdefault((_parent(key), bucket), Sums())
            parent.add_ratings(-sums.ratings, -sums.quality_nano, -sums.quality_sq_nano)
        sums.drop_ratings()
    state.sums = {place: sums for place, sums in state.sums.items() if sums}
    state.moments = {key: moments for key, moments in state.moments.items() if not _within(key, prefix)}
    state.clocks = {segment: clock for segment, clock in state.clocks.items() if not _within(segment, prefix)}
    forgotten = {key for key in state.ratings if _within(key, prefix)}
    parents = {_parent(key) for key in forgotten} - {OVERALL}
    kept = {key: ratings for key, ratings in state.ratings.items() if key not in forgotten | parents}
    state.ratings = dict(kept)
    for key, ratings in kept.items():
        if _parent(key) in parents:
            state.ratings.setdefault(_parent(key), RecentRatings()).merge(ratings)


def _within(key: Key, prefix: Key) -> bool:
    return key[: len(prefix)] == prefix


def _parent(key: Key) -> Key:
    """The wider key that a segment's model or tier counts in too."""
    return model_key(key[-1]) if key[-2] == "model" else OVERALL
