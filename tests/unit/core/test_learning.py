from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from tiercel.core.learning import learn
from tiercel.core.policies.base import BasePolicy, Situation
from tiercel.core.statistics.fold import micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Proposal
from tiercel.domain.events import Event, Feedback, StandingChange
from tiercel.domain.request import Segment, stage_segment

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAGE, OTHER = stage_segment("w", "one"), stage_segment("w", "two")


class Concluding(BasePolicy):
    """Concludes something of every segment it is asked about, and writes down what it is told."""

    name: ClassVar[str] = "concluding"

    def __init__(self) -> None:
        self.told: list[Event] = []

    def propose(self, situation: Situation) -> Proposal:
        raise NotImplementedError

    def learned(self, events: Sequence[Event]) -> None:
        self.told += events

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        # what was learned is known by the time of the question
        assert knowledge.standing(self.name, segment) is None
        assert (len(self.told), models, now_us) == (3, (), micros(NOW))
        return StandingChange(
            changed_at=NOW,
            segment=segment,
            policy=self.name,
            previous="",
            current="a",
            reason="asked",
            confidence=1.0,
            revision=1,
        )


def rating(number: int, segment: Segment) -> Feedback:
    return Feedback(id=f"f{number}", recorded_at=NOW, segment=segment, tier="cheap", quality=0.5, model="m")


def test_changes_that_are_called_for_are_learned_likewise_and_asked_for_once_a_segment() -> None:
    policy, knowledge = Concluding(), Knowledge()
    events = [rating(1, STAGE), rating(2, OTHER), rating(3, STAGE)]
    changes = learn(events, policy, (), knowledge, micros(NOW))
    assert [change.segment for change in changes] == [STAGE, OTHER]
    assert policy.told == [*events, *changes]
    assert [knowledge.standing(policy.name, segment) for segment in (STAGE, OTHER)] == changes
