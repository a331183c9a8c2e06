"""From events to what they add to the learned state: the one place where learning's bookkeeping is defined.

Live learning, restart and rebuild all run `fold` over the same events, so they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from tiercel.core.statistics.arms import arm_sums, is_past_arm
from tiercel.core.statistics.buckets import FINEST_US, Bucket, climb, finest
from tiercel.core.statistics.label_clock import LabelClock
from tiercel.core.statistics.moments import Moments
from tiercel.core.statistics.recent_outcomes import OutcomeSample, RecentOutcomes
from tiercel.core.statistics.recent_ratings import TAKEN_BACK, RatingEntry, RatingSample, RecentRatings
from tiercel.core.statistics.sums import NANO_PER_MS, Sums, nano, total
from tiercel.core.statistics.usage import Usage
from tiercel.domain.events import CLIENT_LEFT, Event, Feedback, Outcome, Rating, StandingChange
from tiercel.domain.request import Segment, agent_segment

Key = tuple[str, ...]
"""Whose statistics: () is everything, else a segment, a model, or a segment's model or tier."""

_Place = tuple[Segment, str, str]
_Cell = tuple[_Place, int]
_S = TypeVar("_S")

OVERALL: Key = ()
ERAS = "drift"  # the policy under which a standing change of a model begins a new era of it: beliefs/change.py
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def model_key(model_id: str) -> Key:
    """A model over all segments."""
    return ("model", model_id)


def segment_model_key(segment: Segment, model_id: str) -> Key:
    """A model within one segment."""
    return (*segment, "model", model_id)


def segment_tier_key(segment: Segment, tier: str) -> Key:
    """A tier within one segment."""
    return (*segment, "tier", tier)


def moments_key(segment: Segment, model_id: str, basis: str, era: int) -> Key:
    """The moments of a model within one segment, in one basis, since the model last changed."""
    return (*segment, "model", model_id, basis, str(era))


def usage_key(segment: Segment, model_id: str, basis: str) -> Key:
    """What calls of a model within one segment take, by the shapes of one basis."""
    return (*segment, "model", model_id, basis)


def segment_of(key: Key) -> Segment | None:
    """The segment whose statistics these are; None for those of everything and of a model."""
    if key[:1] == ("stage",):
        return key[:3]
    return key[:2] if key[:1] == ("agent",) else None


def micros(at: datetime) -> int:
    """Microseconds since the epoch."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@dataclass(slots=True)
class Deltas:
    """What some events add. Deltas add up themselves (`merge`), in any order."""

    sums: dict[tuple[Key, Bucket], Sums] = field(default_factory=dict)
    outcomes: dict[Key, RecentOutcomes] = field(default_factory=dict)
    ratings: dict[Key, RecentRatings] = field(default_factory=dict)
    standings: dict[tuple[str, Segment], StandingChange] = field(default_factory=dict)
    moments: dict[Key, Moments] = field(default_factory=dict)
    clocks: dict[Segment, LabelClock] = field(default_factory=dict)
    usage: dict[Key, Usage] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any((self.sums, self.outcomes, self.ratings, self.standings, self.moments, self.clocks, self.usage))

    def merge(self, *others: Deltas, until_us: int | None = None) -> None:
        """Add `others` to this; several at once are quicker than one after another.

        With `until_us`, the newest of what is added to are those until then: what is later counts in the sums only.
        """
        outcomes: dict[Key, list[RecentOutcomes]] = {}
        ratings: dict[Key, list[RecentRatings]] = {}
        for other in others:
            for (key, bucket), sums in other.sums.items():
                _sums_at(self, key, bucket).merge(sums)
            for key, newest_outcomes in other.outcomes.items():
                outcomes.setdefault(key, []).append(newest_outcomes)
            for key, newest_ratings in other.ratings.items():
                ratings.setdefault(key, []).append(newest_ratings)
            for standing in other.standings.values():
                self.stand(standing)
            self._merge_fading(other)
        for key, some_outcomes in outcomes.items():
            self.outcomes.setdefault(key, RecentOutcomes()).merge(*some_outcomes, until_us=until_us)
        for key, some_ratings in ratings.items():
            self.ratings.setdefault(key, RecentRatings()).merge(*some_ratings, until_us=until_us)

    def _merge_fading(self, other: Deltas) -> None:
        for key, moments in other.moments.items():
            _moments_at(self, key, moments.size).merge(moments)
        for key, usage in other.usage.items():
            self.usage.setdefault(key, Usage()).merge(usage)
        for segment, clock in other.clocks.items():
            self.read(segment, clock)

    def stand(self, standing: StandingChange) -> None:
        """The change of the highest revision is the one that holds."""
        place = (standing.policy, standing.segment)
        held = self.standings.get(place)
        if held is None or held.revision < standing.revision:
            self.standings[place] = standing

    def read(self, segment: Segment, clock: LabelClock) -> None:
        """The latest reading of a segment's label clock is the one that holds."""
        held = self.clocks.get(segment)
        if held is None or held < clock:
            self.clocks[segment] = clock

    def drop_past_eras(self) -> None:
        """Drop the moments of models that changed twice since: nobody asks for them any more."""
        eras = {segment[-1]: s.revision for (policy, segment), s in self.standings.items() if policy == ERAS}
        for key in [key for key in self.moments if int(key[-1]) < eras.get(key[-3], 0) - 1]:
            del self.moments[key]

    def climbed(self, now_s: float) -> Deltas:
        """The same with what has aged at `now_s` moved into coarser buckets, and without empty sums and past arms.

        Two states that learned the same are equal after this. The parts are shared with this, where they stay.
        """
        places: dict[Bucket, Bucket] = {}
        moved: dict[tuple[Key, Bucket], Sums] = {}
        for (key, bucket), sums in self.sums.items():
            target = places.get(bucket)
            if target is None:
                target = places[bucket] = climb(bucket, now_s)
            held = moved.get((key, target))
            moved[key, target] = sums if held is None else total((held, sums))
        filled = {place: sums for place, sums in moved.items() if sums and not is_past_arm(place[0], self.standings)}
        state = replace(self, sums=filled, moments=dict(self.moments))
        state.drop_past_eras()
        return state


def fold(events: Iterable[Event]) -> Deltas:
    """What `events` add to the learned state. Pure; cost linear in the events, about 10 us each."""
    outcomes, feedback, deltas = list[Outcome](), list[Feedback](), Deltas()
    for event in events:
        if isinstance(event, Outcome):
            outcomes.append(event)
        elif isinstance(event, Feedback):
            feedback.append(event)
        elif isinstance(event, StandingChange):
            deltas.stand(event)
        # a decision alone teaches nothing; it gives meaning to what follows
    _fold_outcomes(deltas, outcomes)
    _fold_feedback(deltas, feedback)
    for (key, bucket), sums in arm_sums(feedback):
        _sums_at(deltas, key, bucket).merge(sums)
    return deltas


def outcome_keys(segment: Segment, model: str, agent_id: str) -> list[Key]:
    """Where an outcome counts."""
    keys = [OVERALL, model_key(model), segment_model_key(segment, model)]
    if agent_id:
        agent = agent_segment(agent_id)
        keys.append(agent)
        if agent != segment:
            keys.append(segment_model_key(agent, model))
    return keys


def feedback_keys(segment: Segment, tier: str, model: str) -> list[Key]:
    """Where a rating counts."""
    keys = [OVERALL, segment_tier_key(segment, tier)]
    if model:
        keys += [model_key(model), segment_model_key(segment, model)]
    return keys


def _fold_outcomes(deltas: Deltas, events: Iterable[Outcome]) -> None:
    """Those that count in the same places are added up before they are spread to their keys."""
    calls: dict[_Cell, Sums] = {}
    samples: dict[_Place, list[OutcomeSample]] = {}
    for event in events:
        at_us = micros(event.recorded_at)
        place = (event.segment, event.model, event.agent_id)
        cell = (place, at_us // FINEST_US)
        sums = calls.get(cell)
        if sums is None:
            sums = calls[cell] = Sums()
        if event.success:
            key = usage_key(event.segment, event.model, event.label.basis)
            usage = deltas.usage.setdefault(key, Usage())
            tokens = event.prompt_tokens, event.completion_tokens
            usage.add_call(event.label.shape, at_us, *tokens, event.cost_usd, ticks=event.label.tick)
        if event.error == CLIENT_LEFT:
            sums.add_usage(event.prompt_tokens, event.completion_tokens, event.cost_usd)
            continue
        sums.add_call(
            success=event.success,
            latency_ms=event.latency_ms,
            prompt_tokens=event.prompt_tokens,
            completion_tokens=event.completion_tokens,
            cost_usd=event.cost_usd,
            match_score=event.match_score,
        )
        sample = OutcomeSample(at_us, event.id, event.success, round(event.latency_ms * NANO_PER_MS))
        samples.setdefault(place, []).append(sample)
    for (place, number), sums in calls.items():
        bucket = finest(number)
        for key in outcome_keys(*place):
            _sums_at(deltas, key, bucket).merge(sums)
    for key, group in _spread(samples, outcome_keys).items():
        deltas.outcomes[key] = RecentOutcomes.of(group)


def _fold_feedback(deltas: Deltas, events: Iterable[Feedback]) -> None:
    """Likewise; a rating that revises another is added in its own time and the other taken back in that one's.

    One that takes itself back was revised before it arrived, and counts nowhere.
    """
    tallies: dict[_Cell, list[int]] = {}
    samples: dict[_Place, list[RatingEntry]] = {}
    for event in events:
        revised = event.replaces
        if revised is not None and revised.recorded_at == event.recorded_at:
            continue
        at_us = micros(event.recorded_at)
        subject = event.decision_id or event.id
        place = (event.segment, event.tier, event.model)
        _tally(tallies, (place, at_us // FINEST_US), 1, event.quality)
        _learn(deltas, event.segment, event, 1.0)
        deltas.read(event.segment, LabelClock(event.label.tick, event.label.logged_us or at_us))
        samples.setdefault(place, []).append((RatingSample(at_us, subject, nano(event.quality)), event.source))
        if revised is not None:
            was = (event.segment, revised.tier, revised.model)
            _tally(tallies, (was, micros(revised.recorded_at) // FINEST_US), -1, revised.quality)
            _learn(deltas, event.segment, revised, -1.0)
            if was != place:
                samples.setdefault(was, []).append((RatingSample(at_us, subject, TAKEN_BACK), event.source))
    for (place, number), tally in tallies.items():
        bucket = finest(number)
        for key in feedback_keys(*place):
            _sums_at(deltas, key, bucket).add_ratings(*tally)
    for key, entries in _spread(samples, feedback_keys).items():
        if key != OVERALL:
            deltas.ratings[key] = RecentRatings.of(entries)


def _learn(deltas: Deltas, segment: Segment, rating: Feedback | Rating, sign: float) -> None:
    label = rating.label
    if rating.model and label.weight:
        key = moments_key(segment, rating.model, label.basis, label.era)
        moments = _moments_at(deltas, key, max(0, len(label.vector) - 1))
        moments.add_label(label.shape, label.vector[1:], rating.quality, sign * label.weight, label.tick)


def _moments_at(deltas: Deltas, key: Key, size: int) -> Moments:
    moments = deltas.moments.get(key)
    if moments is None:
        moments = deltas.moments[key] = Moments(size)
    return moments


def _spread(groups: dict[_Place, list[_S]], keys: Callable[[Segment, str, str], list[Key]]) -> dict[Key, list[_S]]:
    """The samples of each place under every key where they count."""
    spread: dict[Key, list[_S]] = {}
    for place, group in groups.items():
        for key in keys(*place):
            spread.setdefault(key, []).extend(group)
    return spread


def _tally(tallies: dict[_Cell, list[int]], cell: _Cell, count: int, quality: float) -> None:
    tally = tallies.setdefault(cell, [0, 0, 0])
    tally[0] += count
    tally[1] += count * nano(quality)
    tally[2] += count * nano(quality * quality)


def _sums_at(deltas: Deltas, key: Key, bucket: Bucket) -> Sums:
    sums = deltas.sums.get((key, bucket))
    if sums is None:
        sums = deltas.sums[key, bucket] = Sums()
    return sums
