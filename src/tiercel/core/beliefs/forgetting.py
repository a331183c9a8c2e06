"""What a found drift means to those who learn: figures from before it count less, or not at all.

A drift is a standing change of the model, in one segment or in all, under a policy name per metric. It says since when
figures are of what the model is now (`since_us`) and how often that changed so far (`turns`). Whoever counts newest
samples begins there; what calls cost fades by `turns`, five half-lives for each. Quality as the `contextual` policy
learns it is not among it: that policy notices by itself, and opens an era (change.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from tiercel.core.beliefs.change import model_segment
from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.core.statistics.fold import segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment

HALF_LIVES_PER_TURN = 5.0
"""What calls took before a drift of cost counts a thirty-second of what they take since."""


class Metric(StrEnum):
    """What is watched for drift."""

    QUALITY = "quality"
    LATENCY = "latency"
    COST = "cost"


EVERYWHERE: Segment = ()
"""All segments together."""
POLICIES = {metric: f"drift-{metric}" for metric in Metric}
METRICS = {policy: metric for metric, policy in POLICIES.items()}


def drift_place(segment: Segment, model_id: str) -> Segment:
    """What a standing change of drift is about: the model in one segment, or everywhere."""
    return segment_model_key(segment, model_id) if segment else model_segment(model_id)


def place_of(standing: StandingChange) -> tuple[Segment, str]:
    """The segment and the model: the inverse of `drift_place`."""
    *segment, _, model_id = standing.segment
    return tuple(segment), model_id


def steady_since_us(knowledge: Knowledge, metric: Metric, segment: Segment, models: Iterable[str], now_us: int) -> int:
    """Since when, in microseconds, none of `models` drifted in that segment; 0 if they never did. A microsecond each.

    Of each model the last drift counts, in this segment or in all; not one that a clock that was ahead stamped: it does
    not tell what came after it.
    """
    policy, since_us = POLICIES[metric], 0
    for model_id in models:
        for place in (segment_model_key(segment, model_id), model_segment(model_id)):
            standing = knowledge.standing(policy, place)
            if standing is not None:
                its_us = int(standing.evidence.get("since_us", 0))
                since_us = max(since_us, its_us) if its_us <= now_us + CLOCKS_APART_US else since_us
    return since_us


def ticks(knowledge: Knowledge, segment: Segment, model_id: str) -> float:
    """By how many half-lives what a model's calls cost in a segment has aged beside time."""
    policy, turns = POLICIES[Metric.COST], 0
    for place in (segment_model_key(segment, model_id), model_segment(model_id)):
        standing = knowledge.standing(policy, place)
        if standing is not None:
            turns += int(standing.evidence.get("turns", 0))
    return HALF_LIVES_PER_TURN * turns
