"""Domain records as JSON: whose change it was, and what a decision was made from."""

from __future__ import annotations

import pytest

from tiercel.apps.gateway import records
from tiercel.core.beliefs.change import POLICY as DRIFT
from tiercel.core.beliefs.change import model_segment
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment, agent_segment, stage_segment
from tiercel.services.assigning.assignments import POLICY as ASSIGNMENT
from tiercel.testing import EPOCH


def change(segment: Segment, policy: str) -> StandingChange:
    return StandingChange(
        changed_at=EPOCH,
        segment=segment,
        policy=policy,
        previous="0",
        current="1",
        reason="because",
        confidence=1.0,
        revision=1,
    )


@pytest.mark.parametrize(
    ("segment", "policy", "kind", "place"),
    [
        (stage_segment("w", "s"), TierRulesPolicy.name, "tier_change", {"workflow": "w", "stage": "s"}),
        (agent_segment("a"), ASSIGNMENT, "assignment", {"agent_id": "a"}),
        (model_segment("m"), DRIFT, "drift", {"model": "m"}),
    ],
)
def test_a_change_says_whose_it_is(segment: Segment, policy: str, kind: str, place: dict[str, str]) -> None:
    happened = change(segment, policy)
    assert records.kind_of(happened) == kind
    assert kind in records.EVENT_KINDS
    assert place.items() <= records.event(happened).items()


def test_a_decision_shows_what_was_read_and_what_was_expected() -> None:
    candidate = Candidate("m", "cheap", 1.0, 0.4, quality=0.8, cost_usd=2e-4, deviation=0.05)
    excluded = Candidate("n", "premium", 0.0, excluded="too dear")
    made = Decision(
        id="d",
        decided_at=EPOCH,
        segment=stage_segment("w", "s"),
        policy="contextual",
        policy_version="1",
        model="m",
        tier="cheap",
        propensity=1.0,
        proposal=Proposal((candidate, excluded), "m", "the best", {"price_of_money": 12.0}),
        vector=(7.0, 0.5),
        basis="text-1",
    )
    shown = records.decision(made)
    assert (shown["basis"], shown["vector"], shown["details"]) == ("text-1", [7.0, 0.5], {"price_of_money": 12.0})
    first, second = shown["candidates"]
    assert (first["quality"], first["deviation"], first["cost_usd"], first["score"]) == (0.8, 0.05, 2e-4, 0.4)
    assert (second["quality"], second["deviation"], second["cost_usd"]) == (None, None, None)
    assert "  m (cheap, score 0.4): p = 1, expected quality 0.800 +- 0.050, cost $0.0002" in shown["explanation"]
    assert "  n (premium): excluded: too dear" in shown["explanation"]
