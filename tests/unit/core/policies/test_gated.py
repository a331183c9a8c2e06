"""The gate in front of changes: asked, answered, rolled out, stopped; and mixtures that are exactly what they say."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from support.worlds import SEGMENT, THREE_TIERS, World
from tiercel.core.changes.steps import change_of, event_of, stepped, wanted_of
from tiercel.core.policies.base import Mixture
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.gated import GatedPolicy, GateSettings
from tiercel.core.policies.switched import SwitchedPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy, TierRulesSettings
from tiercel.core.statistics.arms import ARM, STEP, arm_name
from tiercel.core.statistics.fold import fold
from tiercel.domain.changes import GATE, POLICY_SWITCH, Change, ChangeStatus
from tiercel.domain.events import Feedback, Label
from tiercel.domain.request import stage_segment

GOOD = {"small": 0.95, "middle": 0.95, "large": 0.95}


def world(settings: GateSettings, quality: dict[str, float], start: str = "capable") -> World:
    inner = TierRulesPolicy(TierRulesSettings(start_tier=start, probe_share=0.2))
    return World(GatedPolicy(inner, settings), quality=lambda model_id, _n: quality[model_id])


def change_in(played: World) -> Change:
    step = played.knowledge.standing(GATE, SEGMENT)
    assert step is not None
    return change_of(step)


def tier_in(played: World) -> str | None:
    standing = played.knowledge.standing("tier-rules", SEGMENT)
    return standing.current if standing else None


def until_asked(played: World) -> Change:
    for _ in range(400):
        played.play(1)
        if played.knowledge.standing(GATE, SEGMENT):
            break
    return change_in(played)


def answer(played: World, status: ChangeStatus) -> None:
    step = stepped(change_in(played), status, played.clock.now(), "said the test", actor="ada")
    played.knowledge.add(fold([event_of(step)]))
    played.review()


def test_a_change_waits_until_somebody_says_yes() -> None:
    played = world(GateSettings(approval=True), GOOD)
    asked = until_asked(played)
    assert (asked.status, asked.previous, asked.current) == (ChangeStatus.PENDING, "capable", "cheap")
    assert asked.evidence["samples"] >= 8
    played.play(100)
    assert (tier_in(played), played.greedy[-1]) == (None, "middle")
    answer(played, ChangeStatus.APPROVED)
    assert (tier_in(played), played.propose().greedy) == ("cheap", "small")


def test_what_nobody_answers_is_over_and_is_asked_again_after_a_while() -> None:
    played = world(GateSettings(approval=True, approval_timeout_s=600.0, ask_again_s=300.0), GOOD)
    asked = until_asked(played)
    played.clock.advance(600.0)
    played.review()
    over = change_in(played)
    assert (over.status, over.id, over.actor) == (ChangeStatus.EXPIRED, asked.id, "tiercel")
    played.play(299)
    assert change_in(played) == over
    played.play(2)
    assert change_in(played).status is ChangeStatus.PENDING
    assert change_in(played).id != asked.id
    assert tier_in(played) is None


@pytest.mark.parametrize("answered", [ChangeStatus.REJECTED, ChangeStatus.EXPIRED])
def test_what_was_refused_is_not_asked_at_the_next_rating(answered: ChangeStatus) -> None:
    played = world(GateSettings(approval=True), GOOD)
    until_asked(played)
    answer(played, answered)
    played.play(200)
    assert change_in(played).status is answered
    assert tier_in(played) is None


def test_what_was_refused_by_a_clock_that_was_ahead_is_asked_again_by_the_right_time() -> None:
    played = world(GateSettings(approval=True), GOOD)
    asked = until_asked(played)
    ahead = stepped(asked, ChangeStatus.REJECTED, played.clock.now() + timedelta(days=4_000), "no", actor="ada")
    played.knowledge.add(fold([event_of(ahead)]))
    played.review()
    assert change_in(played).status is ChangeStatus.PENDING


def test_a_request_is_withdrawn_when_it_is_no_longer_wanted() -> None:
    quality = dict(GOOD)
    played = world(GateSettings(approval=True), quality)
    until_asked(played)
    quality["small"] = 0.1
    for _ in range(40):
        played.happen("small")
        played.played += 1
        played.clock.advance(1.0)
    assert change_in(played).status is ChangeStatus.EXPIRED
    assert "no longer wanted" in change_in(played).step_reason


def test_where_only_going_down_needs_a_yes_going_up_passes() -> None:
    played = world(GateSettings(approval=True, only_down=True), {"small": 0.3, "middle": 0.9, "large": 0.9}, "cheap")
    played.play(60)
    assert tier_in(played) == "capable"
    assert played.knowledge.standing(GATE, SEGMENT) is None


def rated(played: World, quality: Callable[[int], float], count: int, chance: random.Random) -> None:
    """Decide and rate under a rollout, as a router does it."""
    for _ in range(count):
        proposal = played.propose()
        chosen = max(proposal.candidates, key=lambda c: (c.probability > 0, chance.random() * c.probability))
        label = Label()
        arm = 0
        if isinstance(proposal, Mixture):
            drawn = proposal.drawn(chosen.model_id, chance.random())
            arm = int(drawn.details[ARM])
            label = Label(arm=arm_name(int(drawn.details[STEP]), arm))
        number = played.played
        played.played += 1
        rating = Feedback(
            id=f"r{number}",
            recorded_at=played.clock.now(),
            segment=SEGMENT,
            tier=chosen.tier,
            quality=quality(arm),
            decision_id=f"x{number}",
            label=label,
        )
        played.knowledge.add(fold([rating]))
        played.review()
        played.clock.advance(1.0)


ROLLOUT = GateSettings(rollout=True, shares=(0.1, 0.5, 1.0), min_ratings=30)


def test_a_rollout_goes_up_by_share_and_then_the_change_stands() -> None:
    played = world(ROLLOUT, GOOD)
    assert until_asked(played).share == 0.1
    chance, seen = random.Random(1), []
    for _ in range(3_000):
        rated(played, lambda _arm: chance.choice((0.7, 0.9, 1.0)), 1, chance)
        change = change_in(played)
        if (change.status, change.share) not in seen:
            seen.append((change.status, change.share))
        if change.granted:
            break
    rolling, done = ChangeStatus.ROLLING, ChangeStatus.DONE
    assert seen == [(rolling, 0.1), (rolling, 0.5), (done, 1.0)]
    played.review()
    assert tier_in(played) == "cheap"
    assert played.propose().greedy == "small"


def test_a_worse_one_is_rolled_back_and_nothing_stands() -> None:
    played = world(ROLLOUT, GOOD)
    until_asked(played)
    chance = random.Random(2)
    for _ in range(1_500):
        rated(played, lambda arm: chance.choice((0.7, 0.9, 1.0)) - 0.4 * arm, 1, chance)
        if not change_in(played).under_way:
            break
    change = change_in(played)
    assert (change.status, change.share, change.actor) == (ChangeStatus.ROLLED_BACK, 0.1, "tiercel")
    assert "surely worse" in change.step_reason
    assert tier_in(played) is None
    assert not isinstance(played.propose(), Mixture)


def test_ratings_of_another_share_do_not_count() -> None:
    """All answers got worse when the share rose: the old ones' good ratings of before must not blame the new one."""
    played = world(replace(ROLLOUT, min_ratings=60), GOOD)
    until_asked(played)
    chance = random.Random(3)
    while change_in(played).share < 0.5:
        rated(played, lambda _arm: 0.95, 1, chance)
    rated(played, lambda _arm: 0.3, 60, chance)
    assert change_in(played).under_way


def test_the_mixture_is_exact_and_the_arm_is_drawn_from_what_the_model_leaves_open() -> None:
    played = world(ROLLOUT, GOOD)
    change = until_asked(played)
    gate = played.policy
    assert isinstance(gate, GatedPolicy)
    proposal = played.propose()
    assert isinstance(proposal, Mixture)
    stood = played.knowledge.supposing(wanted_of(change))
    before, after = (
        {c.model_id: c.probability for c in World(gate.inner, knowledge=known, clock=played.clock).propose().candidates}
        for known in (played.knowledge, stood)
    )
    assert before != after
    for candidate in proposal.candidates:
        name = candidate.model_id
        assert candidate.probability == pytest.approx(0.9 * before[name] + 0.1 * after[name], abs=1e-12)
        if candidate.probability:
            expected = 0.1 * after[name] / candidate.probability
            assert proposal.of_new[name] == pytest.approx(expected, abs=1e-12)
            n = 2_000
            arms = sum(proposal.drawn(name, i / n).details[ARM] for i in range(n)) / n
            assert arms == pytest.approx(expected, abs=1 / n)
    # what is logged is plain, and says the mixture's probabilities
    logged = proposal.drawn("middle", 0.0)
    assert type(logged) is not Mixture
    assert logged.candidates == proposal.candidates


class Old(FixedPolicy):
    name = "old"


class New(FixedPolicy):
    name = "new"


def test_a_policy_is_handed_over_like_a_tier() -> None:
    played = World(GatedPolicy(SwitchedPolicy(New("large"), Old("small")), ROLLOUT), quality=lambda _model, _n: 0.9)
    assert played.propose().greedy == "small"
    asked = until_asked(played)
    assert (asked.policy, asked.previous, asked.current, asked.share) == (POLICY_SWITCH, "old", "new", 0.1)
    shares = {c.model_id: c.probability for c in played.propose().candidates}
    assert shares == pytest.approx({"small": 0.9, "middle": 0.0, "large": 0.1})
    chance = random.Random(4)
    rated(played, lambda _arm: 0.9, 1_200, chance)
    assert change_in(played).status is ChangeStatus.DONE
    standing = played.knowledge.standing(POLICY_SWITCH, SEGMENT)
    assert standing is not None
    assert standing.current == "new"
    assert played.propose().greedy == "large"


def test_a_rollout_ends_when_its_route_is_given_another_policy() -> None:
    played = world(ROLLOUT, GOOD)
    asked = until_asked(played)
    served_by_old = World(GatedPolicy(Old("small"), ROLLOUT), quality=lambda _model, _n: 0.9)
    served_by_old.knowledge.add(fold([event_of(asked)]))
    served_by_old.review()
    over = change_in(served_by_old)
    assert (over.status, over.step_reason) == (
        ChangeStatus.ROLLED_BACK,
        "withdrawn: the route's policy is now old",
    )
    switching = World(GatedPolicy(SwitchedPolicy(New("large"), Old("small")), ROLLOUT), quality=lambda _model, _n: 0.9)
    handed_over = until_asked(switching)
    served_by_old = World(GatedPolicy(New("large"), ROLLOUT), quality=lambda _model, _n: 0.9)
    served_by_old.knowledge.add(fold([event_of(handed_over)]))
    served_by_old.review()
    assert change_in(served_by_old).status is ChangeStatus.ROLLED_BACK


def test_other_segments_are_left_alone() -> None:
    played = world(ROLLOUT, GOOD)
    until_asked(played)
    assert played.knowledge.standing(GATE, stage_segment("review", "other")) is None
    assert len(THREE_TIERS) == len(played.propose().candidates)
