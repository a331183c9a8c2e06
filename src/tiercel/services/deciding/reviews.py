"""Asking policies whether segments should be served otherwise: after what was learned, and as time goes by."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import MAX_SEGMENTS, Knowledge
from tiercel.domain.changes import GATE, ChangeStatus
from tiercel.domain.events import Feedback, Outcome, StandingChange
from tiercel.domain.request import Segment
from tiercel.ports import Appended
from tiercel.services.deciding.routes import Plan
from tiercel.services.learning.learner import Learner

MAX_STANDINGS = 2 * MAX_SEGMENTS
"""Where so many standings are held, a segment that was never changed is not: made-up names do not fill the memory."""
AT_A_TIME = 500
"""So many segments with changes are looked at for what was left undone; the next ones the next time."""
_REFUSED = (ChangeStatus.REJECTED, ChangeStatus.EXPIRED, ChangeStatus.ROLLED_BACK)


class Reviews:
    """`plan_of` tells who decides for a segment. Thread-safe."""

    def __init__(self, learner: Learner, plan_of: Callable[[Segment], Plan]) -> None:
        self._learner = learner
        self._plan_of = plan_of
        self._turn = 0

    def after(self, learned: Appended) -> list[StandingChange]:
        """What follows from what was learned: from calls and ratings, and from steps of changes."""
        return self._of({event.segment for event in learned.accepted if _asks(event)})

    def due(self) -> list[StandingChange]:
        """What was left undone: the next steps of changes under way, of `AT_A_TIME` segments in turn."""
        steps = self._learner.knowledge.standings(GATE)
        first = self._turn if self._turn < len(steps) else 0
        self._turn = first + AT_A_TIME
        return self._of(
            step.segment for step in steps[first : first + AT_A_TIME] if step.evidence["status"] not in _REFUSED
        )

    def _of(self, segments: Iterable[Segment]) -> list[StandingChange]:
        knowledge, now_us = self._learner.knowledge, micros(self._learner.clock.now())
        plans = ((segment, self._plan_of(segment)) for segment in segments)
        reviews = [plan.policy.review(segment, plan.models, knowledge, now_us) for segment, plan in plans]
        return [change for change in reviews if change is not None and _may_stand(change, knowledge)]


def _may_stand(change: StandingChange, knowledge: Knowledge) -> bool:
    """Whether there is room for it: always where something of its segment stands already."""
    held = (knowledge.standing(policy, change.segment) for policy in (change.policy, GATE))
    return any(held) or knowledge.changed < MAX_STANDINGS


def _asks(event: object) -> bool:
    """Whether a review may come to another conclusion after that event."""
    return isinstance(event, Feedback | Outcome) or (isinstance(event, StandingChange) and event.policy == GATE)
