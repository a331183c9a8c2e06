"""Asking policies whether segments should be served otherwise: after what was learned, and as time goes by."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tiercel.core.changes.steps import change_of
from tiercel.core.statistics.fold import micros
from tiercel.domain.changes import GATE
from tiercel.domain.events import Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment
from tiercel.ports import Appended
from tiercel.services.deciding.routes import Plan
from tiercel.services.learning.learner import Learner


class Reviews:
    """`plan_of` tells who decides for a segment. Thread-safe."""

    def __init__(self, learner: Learner, plan_of: Callable[[Segment], Plan]) -> None:
        self._learner = learner
        self._plan_of = plan_of

    def after(self, learned: Appended) -> list[StandingChange]:
        """What follows from what was learned: from calls and ratings, and from steps of changes."""
        return self._of({event.segment for event in learned.accepted if _asks(event)})

    def due(self) -> list[StandingChange]:
        """What follows from the time alone, or was left undone: the next steps of changes under way."""
        steps = self._learner.knowledge.standings(GATE)
        changes = [change_of(step) for step in steps]
        return self._of(change.segment for change in changes if change.under_way or change.granted)

    def _of(self, segments: Iterable[Segment]) -> list[StandingChange]:
        knowledge, now_us = self._learner.knowledge, micros(self._learner.clock.now())
        plans = ((segment, self._plan_of(segment)) for segment in segments)
        reviews = [plan.policy.review(segment, plan.models, knowledge, now_us) for segment, plan in plans]
        return [change for change in reviews if change is not None]


def _asks(event: object) -> bool:
    """Whether a review may come to another conclusion after that event."""
    return isinstance(event, Feedback | Outcome) or (isinstance(event, StandingChange) and event.policy == GATE)
