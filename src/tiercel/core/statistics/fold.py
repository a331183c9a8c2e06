"""From events to what they add to the learned state: the one place where learning's bookkeeping is defined.

Live learning, restart and rebuild all run `fold` over the same events, so they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tiercel.core.statistics.buckets import FINEST_US, Bucket, climb, finest
from tiercel.core.statistics.recent_outcomes import OutcomeSample, RecentOutcomes
from tiercel.core.statistics.recent_ratings import RatingEntry, RatingSample, RecentRatings
from tiercel.core.statistics.sums import NANO_PER_MS, Sums, nano, total
from tiercel.domain.events import CLIENT_LEFT, Event, Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment, agent_segment

Key = tuple[str, ...]
"""Whose statistics: () is everything, else a segment, a model, or a segment's model or tier."""

OVERALL: Key = ()
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

    def merge(self, *others: Deltas) -> None:
        """Add `others` to this; several at once are quicker than one after another."""
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
        for key, some_outcomes in outcomes.items():
            self.outcomes.setdefault(key, RecentOutcomes()).merge(*some_outcomes)
        for key, some_ratings in ratings.items():
            self.ratings.setdefault(key, RecentRatings()).merge(*some_ratings)

    def stand(self, standing: StandingChange) -> None:
        """The change of the highest revision is the one that holds."""
        place = (standing.policy, standing.segment)
        held = self.standings.get(place)
        if held is None or held.revision < standing.revision:
            self.standings[place] = standing

    def keys(self) -> Iterator[Key]:
        """Every key touched."""
        yield from {key for key, _ in self.sums} | self.outcomes.keys() | self.ratings.keys()

    def climbed(self, now_s: float) -> Deltas:
        """The same with what has aged at `now_s` moved into coarser buckets, and without empty sums.

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
        filled = {place: sums for place, sums in moved.items() if sums}
        return Deltas(filled, self.outcomes, self.ratings, self.standings)


def fold(events: Iterable[Event]) -> Deltas:
    """What `events` add to the learned state. Pure; cost linear in the events, about 10 us each."""
    outcomes: list[Outcome] = []
    feedback: list[Feedback] = []
    deltas = Deltas()
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
    calls: dict[tuple[tuple[Segment, str, str], int], Sums] = {}
    samples: dict[tuple[Segment, str, str], list[OutcomeSample]] = {}
    for event in events:
        at_us = micros(event.recorded_at)
        place = (event.segment, event.model, event.agent_id)
        cell = (place, at_us // FINEST_US)
        sums = calls.get(cell)
        if sums is None:
            sums = calls[cell] = Sums()
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
    by_key: dict[Key, list[OutcomeSample]] = {}
    for place, group in samples.items():
        for key in outcome_keys(*place):
            by_key.setdefault(key, []).extend(group)
    for key, group in by_key.items():
        deltas.outcomes[key] = RecentOutcomes.of(group)


def _fold_feedback(deltas: Deltas, events: Iterable[Feedback]) -> None:
    """Likewise; a rating that revises another is added in its own time and the other taken back in that one's."""
    tallies: dict[tuple[tuple[Segment, str, str], int], list[int]] = {}
    samples: dict[tuple[Segment, str, str], list[RatingEntry]] = {}
    for event in events:
        at_us, quality_nano = micros(event.recorded_at), nano(event.quality)
        place = (event.segment, event.tier, event.model)
        tally = tallies.setdefault((place, at_us // FINEST_US), [0, 0, 0])
        tally[0] += 1
        tally[1] += quality_nano
        tally[2] += nano(event.quality * event.quality)
        revised = event.replaces
        if revised is not None:
            cell = ((event.segment, revised.tier, revised.model), micros(revised.recorded_at) // FINEST_US)
            tally = tallies.setdefault(cell, [0, 0, 0])
            tally[0] -= 1
            tally[1] -= nano(revised.quality)
            tally[2] -= nano(revised.quality * revised.quality)
        sample = RatingSample(at_us, event.decision_id or event.id, quality_nano)
        samples.setdefault(place, []).append((sample, event.source))
    for (place, number), tally in tallies.items():
        bucket = finest(number)
        for key in feedback_keys(*place):
            _sums_at(deltas, key, bucket).add_ratings(*tally)
    by_key: dict[Key, list[RatingEntry]] = {}
    for place, group in samples.items():
        for key in feedback_keys(*place):
            if key != OVERALL:
                by_key.setdefault(key, []).extend(group)
    for key, group in by_key.items():
        deltas.ratings[key] = RecentRatings.of(group)


def _sums_at(deltas: Deltas, key: Key, bucket: Bucket) -> Sums:
    sums = deltas.sums.get((key, bucket))
    if sums is None:
        sums = deltas.sums[key, bucket] = Sums()
    return sums
