"""From events to what they add to the learned state: the one place where learning's bookkeeping is defined.

Live learning, restart and rebuild all run `fold` over the same events, so they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tiercel.core.statistics.buckets import Bucket, finest
from tiercel.core.statistics.recent import OutcomeSample, RatingSample, RecentOutcomes, RecentRatings
from tiercel.core.statistics.sums import NANO_PER_MS, Sums, nano
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment, agent_segment

Key = tuple[str, ...]
"""Whose statistics: () is everything, else a segment, a model, or a segment's model or tier."""

OVERALL: Key = ()


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
    return round(at.timestamp() * 1_000_000)


@dataclass(slots=True)
class Deltas:
    """What some events add. Deltas add up themselves (`merge`), in any order."""

    sums: dict[tuple[Key, Bucket], Sums] = field(default_factory=dict)
    outcomes: dict[Key, RecentOutcomes] = field(default_factory=dict)
    ratings: dict[Key, RecentRatings] = field(default_factory=dict)
    standings: dict[tuple[str, Segment], StandingChange] = field(default_factory=dict)

    def merge(self, other: Deltas) -> None:
        """Add `other` to this."""
        for place, sums in other.sums.items():
            self.sums.setdefault(place, Sums()).merge(sums)
        for key, outcomes in other.outcomes.items():
            self.outcomes.setdefault(key, RecentOutcomes()).merge(outcomes)
        for key, ratings in other.ratings.items():
            self.ratings.setdefault(key, RecentRatings()).merge(ratings)
        for standing in other.standings.values():
            self.stand(standing)

    def stand(self, standing: StandingChange) -> None:
        """The change of the highest revision is the one that holds."""
        place = (standing.policy, standing.segment)
        held = self.standings.get(place)
        if held is None or held.revision < standing.revision:
            self.standings[place] = standing

    def keys(self) -> Iterator[Key]:
        """Every key touched."""
        yield from {key for key, _ in self.sums} | self.outcomes.keys() | self.ratings.keys()


def fold(events: Iterable[Event]) -> Deltas:
    """What `events` add to the learned state. Pure; cost linear in the events, about 10 us each."""
    deltas = Deltas()
    for event in events:
        if isinstance(event, Outcome):
            _fold_outcome(deltas, event)
        elif isinstance(event, Feedback):
            _fold_feedback(deltas, event)
        elif isinstance(event, StandingChange):
            deltas.stand(event)
        elif isinstance(event, Decision):
            pass  # a decision alone teaches nothing; it gives meaning to what follows
    return deltas


def outcome_keys(event: Outcome) -> list[Key]:
    """Where an outcome counts."""
    keys = [OVERALL, model_key(event.model), segment_model_key(event.segment, event.model)]
    if event.agent_id:
        agent = agent_segment(event.agent_id)
        keys.append(agent)
        if agent != event.segment:
            keys.append(segment_model_key(agent, event.model))
    return keys


def feedback_keys(event: Feedback) -> list[Key]:
    """Where a rating counts."""
    keys = [OVERALL, segment_tier_key(event.segment, event.tier)]
    if event.model:
        keys += [model_key(event.model), segment_model_key(event.segment, event.model)]
    return keys


def _fold_outcome(deltas: Deltas, event: Outcome) -> None:
    at_us = micros(event.recorded_at)
    bucket = finest(at_us / 1e6)
    sample = OutcomeSample(at_us, event.id, event.success, round(event.latency_ms * NANO_PER_MS))
    for key in outcome_keys(event):
        sums = deltas.sums.get((key, bucket))
        if sums is None:
            sums = deltas.sums[key, bucket] = Sums()
        sums.add_call(
            success=event.success,
            latency_ms=event.latency_ms,
            prompt_tokens=event.prompt_tokens,
            completion_tokens=event.completion_tokens,
            cost_usd=event.cost_usd,
            match_score=event.match_score,
        )
        recent = deltas.outcomes.get(key)
        if recent is None:
            recent = deltas.outcomes[key] = RecentOutcomes()
        recent.add(sample)


def _fold_feedback(deltas: Deltas, event: Feedback) -> None:
    at_us = micros(event.recorded_at)
    bucket = finest(at_us / 1e6)
    sample = RatingSample(at_us, event.decision_id or event.id, nano(event.quality))
    for key in feedback_keys(event):
        deltas.sums.setdefault((key, bucket), Sums()).add_rating(event.quality)
        if event.replaces is not None:
            taken_back = finest(event.replaces.recorded_at.timestamp())
            deltas.sums.setdefault((key, taken_back), Sums()).add_rating(event.replaces.quality, count=-1)
        if key != OVERALL:
            deltas.ratings.setdefault(key, RecentRatings()).add(event.source, sample)
