"""What learning needs to know of a rating besides its value: written on it before it is logged.

    decided:  vector, basis, expectation, era  (from the decision: core/beliefs/labels.py)
    logged:   clock, weight                    (from what is known at that moment: `labelled`)

A call's clock says how often what the model costs was found to have drifted (core/beliefs/forgetting.py).

Both stand in the log from then on, so that whoever replays it learns the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tiercel.core.beliefs.change import latest_change
from tiercel.core.beliefs.forgetting import ticks
from tiercel.core.statistics.fold import Key, segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.voices import weight_of
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import Segment


def labelled(events: Sequence[Event], knowledge: Knowledge, now_us: int, trusted: frozenset[str]) -> list[Event]:
    """The events with what is to be known of their ratings now; about 30 us for each rating of a model."""
    counted: Counter[Segment] = Counter()
    said: dict[Key, dict[str, list[float]]] = {}
    ready: list[Event] = []
    for event in events:
        if isinstance(event, Outcome) and (aged := ticks(knowledge, event.segment, event.model)):
            ready.append(replace(event, label=replace(event.label, tick=aged)))
            continue
        if not isinstance(event, Feedback) or not event.model:
            ready.append(event)
            continue
        weight = 1.0 if event.source in trusted else _weight(event, knowledge, said)
        counted[event.segment] += weight > 0
        clock = knowledge.clock(event.segment).after(counted[event.segment], now_us)
        label = replace(event.label, tick=clock.tick, weight=weight, logged_us=now_us)
        if not event.decision_id:
            label = replace(label, era=latest_change(knowledge, event.model).era)
        ready.append(replace(event, label=label))
    return ready


def _weight(event: Feedback, knowledge: Knowledge, said: dict[Key, dict[str, list[float]]]) -> float:
    """`said` are the ratings known and those of the batch so far, read once for each model of a segment."""
    key = segment_model_key(event.segment, event.model)
    by_source = said.get(key)
    if by_source is None:
        by_source = said[key] = {}
        for source, sample in knowledge.ratings(key):
            by_source.setdefault(source, []).append(sample.quality_nano / 1e9)
    weight = weight_of(event.source, event.quality, by_source)
    by_source.setdefault(event.source, []).append(event.quality)
    return weight
