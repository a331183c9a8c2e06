"""What learning needs to know of a rating besides its value: written on it before it is logged.

    decided:  vector, basis, expectation  (from the decision the rating is of: `label_of`)
    logged:   clock, era, weight          (from what is known at that moment: `labelled`)

Both stand in the log from then on, so that whoever replays it learns the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tiercel.core.beliefs.change import latest_change
from tiercel.core.statistics.fold import segment_model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.label_clock import LabelClock
from tiercel.core.statistics.voices import weight_of
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, Feedback, Label
from tiercel.domain.request import Segment


def label_of(decision: Decision, model: str) -> Label:
    """What a decision says of the answer that `model` gave: a fallback may have made it another than the chosen."""
    expected = next((c.quality for c in decision.proposal.candidates if c.model_id == model), None)
    return Label(decision.vector, decision.basis, expected)


def labelled(events: Sequence[Event], knowledge: Knowledge, now_us: int, trusted: frozenset[str]) -> list[Event]:
    """The events with what is to be known of their ratings now; about 30 us for each rating of a model."""
    clocks: dict[Segment, LabelClock] = {}
    ready: list[Event] = []
    for event in events:
        if not isinstance(event, Feedback) or not event.model:
            ready.append(event)
            continue
        weight = 1.0 if event.source in trusted else _weight(event, knowledge)
        clock = clocks.get(event.segment) or knowledge.clock(event.segment)
        if weight:
            clock = clocks[event.segment] = clock.after(1, now_us)
        era = latest_change(knowledge, event.model).era
        ready.append(replace(event, label=replace(event.label, tick=clock.tick, weight=weight, era=era)))
    return ready


def _weight(event: Feedback, knowledge: Knowledge) -> float:
    said: dict[str, list[float]] = {}
    for source, sample in knowledge.ratings(segment_model_key(event.segment, event.model)):
        said.setdefault(source, []).append(sample.quality_nano / 1e9)
    return weight_of(event.source, event.quality, said)
