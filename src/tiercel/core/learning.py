"""Learning from events that are not logged: what the router does around its store, without one.

fold -> knowledge -> policy.learned -> policy.review of every segment touched -> StandingChanges, learned likewise
"""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.core.policies.base import Policy
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.events import Event, Feedback, Outcome, StandingChange


def learn(
    events: Sequence[Event], policy: Policy, models: Sequence[ModelProfile], knowledge: Knowledge, now_us: int
) -> list[StandingChange]:
    """Learn `events`, and the changes that the policy calls for after them, which are the result."""
    _take_in(events, policy, knowledge, now_us)
    touched = dict.fromkeys(event.segment for event in events if isinstance(event, Feedback | Outcome))
    reviews = [policy.review(segment, models, knowledge, now_us) for segment in touched]
    changes = [change for change in reviews if change is not None]
    if changes:
        _take_in(changes, policy, knowledge, now_us)
    return changes


def _take_in(events: Sequence[Event], policy: Policy, knowledge: Knowledge, now_us: int) -> None:
    knowledge.add(fold(events), now_us=now_us)
    policy.learned(events)
