"""What policies are asked, for how many segments at a time, and how many may be changed at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.happenings import at, outcome
from support.routing import PROMPT
from support.worlds import THREE_TIERS
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.changes.steps import change_of, event_of, stepped
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.gated import GatedPolicy, GateSettings
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.switched import SwitchedPolicy
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.changes import GATE, POLICY_SWITCH, ChangeStatus
from tiercel.domain.request import Segment, stage_segment
from tiercel.services.deciding import reviews
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.learning.learner import Learner
from tiercel.testing import ManualClock

NAMES = [stage_segment("made-up", str(number)) for number in range(8)]


@pytest.fixture
def router() -> Iterator[Router]:
    """Every stage that is heard of wants to be handed over."""
    handing_over = GatedPolicy(SwitchedPolicy(RandomPolicy(), FixedPolicy("small")), GateSettings(rollout=True))
    learner = Learner(MemoryStore(), clock=ManualClock(), settings=PROMPT)
    table = RoutingTable(Catalogue(THREE_TIERS), (), Route(policy=handing_over, name="default"))
    yield Router(table, learner, uniform=lambda _: 0.5)
    learner.close()


def called(router: Router, segments: list[Segment]) -> list[Segment]:
    """The segments that a change is under way of, after a call of each of those."""
    learner = router.learner
    for number, segment in enumerate(segments):
        learner.record(outcome(1_000 * len(segments) + number, segment=segment), timeout_s=10.0)
    learner.flush(10.0)
    return [step.segment for step in learner.knowledge.standings(GATE)]


def test_made_up_names_are_given_no_more_standings_than_may_be(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "MAX_STANDINGS", 3)
    assert called(router, NAMES) == NAMES[:3]
    # what was begun goes on
    begun = change_of(router.learner.knowledge.standings(GATE)[0])
    router.learner.record(event_of(stepped(begun, ChangeStatus.DONE, at(9.0), "said the test")), timeout_s=10.0)
    router.learner.flush(10.0)
    assert router.learner.knowledge.standing(POLICY_SWITCH, NAMES[0]) is not None
    assert router.learner.knowledge.changed == 4


def test_what_was_left_undone_is_looked_at_in_turn(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(router, NAMES) == NAMES
    asked: list[Segment] = []
    policy = router.table.plan_of(NAMES[0]).policy
    monkeypatch.setattr(policy, "review", lambda segment, *_: asked.append(segment))
    monkeypatch.setattr(reviews, "AT_A_TIME", 3)
    for _ in range(3):
        router.reviews.due()
    assert asked == NAMES
    router.reviews.due()
    assert asked == NAMES + NAMES[:3]
