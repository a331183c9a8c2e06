"""`knn`: what models did with the most similar requests. A challenger for offline comparison, not for serving.

Cover, Hart: "Nearest neighbor pattern classification" (IEEE Transactions on Information Theory 13, 1967). A model's
quality is the mean rating of its answers to the `NEAREST` nearest requests, shrunk to what `contextual` believes;
costs, goals and exploration are `contextual`'s. It keeps its own memory of the newest ratings, in this process only,
and reads all of it for every request.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from heapq import nsmallest
from typing import ClassVar, NamedTuple

from tiercel.core.policies.base import Situation
from tiercel.core.policies.contextual import ContextualPolicy, ContextualSettings
from tiercel.core.policies.outlook import Prospect
from tiercel.domain.events import Event, Feedback
from tiercel.domain.request import Segment

NEAREST = 15
REMEMBERED = 2_000
_SHRUNK = 5.0
_OTHER_SEGMENT, _OTHER_SHAPE = 4.0, 2.0
"""How far apart two requests are for being of another segment, or of another shape, in standard deviations."""


class _Memory(NamedTuple):
    segment: Segment
    vector: tuple[float, ...]
    quality: float


class KnnPolicy(ContextualPolicy):
    """Asks the nearest neighbours."""

    name: ClassVar[str] = "knn"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "what models did with the most similar requests: for offline comparison"

    def __init__(self, settings: ContextualSettings | None = None) -> None:
        super().__init__(settings)
        self._remembered: dict[str, deque[_Memory]] = {}

    def prospects(self, situation: Situation) -> list[Prospect]:
        """The beliefs of `contextual` moved to what the neighbours say. Milliseconds."""
        found = []
        for prospect in super().prospects(situation):
            memories = tuple(self._remembered.get(prospect.model.model_id, ()))
            near = nsmallest(NEAREST, ((_distance(m, situation), m.quality) for m in memories))
            said = sum(quality for _, quality in near)
            quality = (said + _SHRUNK * prospect.quality) / (len(near) + _SHRUNK)
            found.append(prospect._replace(quality=min(max(quality, 0.0), 1.0)))
        return found

    def learned(self, events: Sequence[Event]) -> None:
        """Remember ratings with their requests' vectors."""
        for event in events:
            if isinstance(event, Feedback) and event.model and event.label.weight:
                memories = self._remembered.setdefault(event.model, deque(maxlen=REMEMBERED))
                memories.append(_Memory(event.segment, event.label.vector, event.quality))
        super().learned(events)


def _distance(memory: _Memory, situation: Situation) -> float:
    far = 0.0 if memory.segment == situation.segment else _OTHER_SEGMENT**2
    if memory.vector and situation.vector:
        far += 0.0 if memory.vector[0] == situation.vector[0] else _OTHER_SHAPE**2
        far += sum((a - b) ** 2 for a, b in zip(memory.vector[1:], situation.vector[1:], strict=False))
    return math.sqrt(far)
