"""Handing a route over from one policy to another: the old one decides until it stands that the new one does.

Which of the two serves a segment is a standing of the segment, so that it is recorded, shared, and can be rolled out
like every other change (gated.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tiercel.core.policies.base import Policy, Situation
from tiercel.core.policies.wrapper import WrapperPolicy
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.changes import POLICY_SWITCH
from tiercel.domain.decision import Decision, Proposal
from tiercel.domain.events import Event, StandingChange
from tiercel.domain.request import Segment

SWITCHED = "switched"
"""The figure in a proposal's details that says which of the two made it: 1 for the new one."""


class SwitchedPolicy(WrapperPolicy):
    """`inner` is the new policy; `old` serves each segment until the switch stands, which is wanted at once."""

    def __init__(self, inner: Policy, old: Policy) -> None:
        super().__init__(inner, kind="switched", promise=f"takes over from {old.name}")
        self.old = old
        self.reads_prompt = inner.reads_prompt or old.reads_prompt
        self.keeps_books = inner.keeps_books or old.keeps_books

    def within(self, segment: Segment, knowledge: Knowledge) -> Policy:
        """The one that serves the segment."""
        return self.inner if self._switched(segment, knowledge) else self.old

    def propose(self, situation: Situation) -> Proposal:
        """The proposal of the one that serves the segment."""
        switched = self._switched(situation.segment, situation.knowledge)
        proposal = (self.inner if switched else self.old).propose(situation)
        return replace(proposal, details={**proposal.details, SWITCHED: float(switched)})

    def decided(self, decision: Decision) -> None:
        """Tell the one whose proposal it was."""
        (self.inner if decision.proposal.details.get(SWITCHED) else self.old).decided(decision)

    def learned(self, events: Sequence[Event]) -> None:
        """Tell both."""
        self.inner.learned(events)
        self.old.learned(events)

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        """Switch; after that, as the new one says."""
        if self._switched(segment, knowledge):
            return self.inner.review(segment, models, knowledge, now_us)
        last = knowledge.standing(POLICY_SWITCH, segment)
        return StandingChange(
            changed_at=datetime.fromtimestamp(now_us / 1e6, UTC),
            segment=segment,
            policy=POLICY_SWITCH,
            previous=self.old.name,
            current=self.inner.name,
            reason=f"the route names {self.inner.name} in place of {self.old.name}",
            confidence=1.0,
            revision=last.revision + 1 if last else 1,
        )

    def _switched(self, segment: Segment, knowledge: Knowledge) -> bool:
        standing = knowledge.standing(POLICY_SWITCH, segment)
        return standing is not None and standing.current == self.inner.name
