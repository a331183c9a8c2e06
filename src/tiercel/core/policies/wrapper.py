"""What policies that wrap another one share: whatever they do not change is the wrapped policy's."""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.core.policies.base import Policy
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.events import Event, StandingChange
from tiercel.domain.request import Segment


class WrapperPolicy:
    """Is told of everything and passes it on. Called `kind(inner's name)`; `promise` is what it adds, in a few words.

    A subclass proposes.
    """

    def __init__(self, inner: Policy, *, kind: str, promise: str) -> None:
        self.inner = inner
        self.name = f"{kind}({inner.name})"
        self.version = f"{inner.version}.1"
        self.summary = f"{inner.summary}; {promise}"
        self.reads_prompt = inner.reads_prompt
        self.keeps_books = inner.keeps_books

    def within(self, segment: Segment, knowledge: Knowledge) -> Policy:  # noqa: ARG002 - one may wrap two
        """The wrapped policy that decides for a segment."""
        return self.inner

    def decided(self, decision: Decision) -> None:
        """Pass it on."""
        self.inner.decided(decision)

    def learned(self, events: Sequence[Event]) -> None:
        """Pass it on."""
        self.inner.learned(events)

    def review(
        self, segment: Segment, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
    ) -> StandingChange | None:
        """As the wrapped policy says."""
        return self.inner.review(segment, models, knowledge, now_us)


def innermost(policy: Policy, segment: Segment, knowledge: Knowledge) -> Policy:
    """What decides for a segment once everything that wraps it is taken off."""
    while isinstance(policy, WrapperPolicy):
        policy = policy.within(segment, knowledge)
    return policy
