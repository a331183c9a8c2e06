from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from support.worlds import THREE_TIERS
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.estimators.rows import Probabilities
from tiercel.core.policies.base import BasePolicy, Situation
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import fold, segment_tier_key
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.errors import InvalidInput
from tiercel.domain.events import Event, Feedback, Outcome
from tiercel.domain.request import Segment, stage_segment
from tiercel.services.deciding.router import REQUESTED
from tiercel.services.valuing.logged_history import History, models_of, read_history
from tiercel.services.valuing.off_policy import OffPolicyReport, off_policy_report
from tiercel.testing import EPOCH

SEGMENT = stage_segment("review", "analysis")
NAMES = tuple(model.model_id for model in THREE_TIERS)
TIERS = {model.model_id: model.tier for model in THREE_TIERS}
EVEN = (1 / 3, 1 / 3, 1 / 3)


def decision(
    number: int,
    chosen: str = "small",
    *,
    probabilities: Probabilities = EVEN,
    excluded: Sequence[str] = (),
    segment: Segment = SEGMENT,
    policy: str = "random",
    will_judge: bool | None = None,
    judge_rate: float = 0.0,
    seconds: float | None = None,
) -> Decision:
    candidates = tuple(
        Candidate(name, TIERS[name], p, excluded="too short" if name in excluded else None)
        for name, p in zip(NAMES, probabilities, strict=True)
    )
    return Decision(
        id=f"d{number}",
        decided_at=at(number if seconds is None else seconds),
        segment=segment,
        policy=policy,
        policy_version="1",
        model=chosen,
        tier=TIERS[chosen],
        propensity=probabilities[NAMES.index(chosen)],
        proposal=Proposal(candidates, chosen, "by hand"),
        will_judge=will_judge,
        judge_rate=judge_rate,
    )


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def rating(of: Decision, quality: float, *, source: str = "user", number: int = 0, after_s: float = 0.5) -> Feedback:
    return Feedback(
        id=f"{of.id}/{source}/{number}",
        recorded_at=of.decided_at + timedelta(seconds=after_s),
        segment=of.segment,
        tier=of.tier,
        quality=quality,
        model=of.model,
        decision_id=of.id,
        source=source,
    )


def outcome(of: Decision, cost_usd: float | None, *, model: str = "") -> Outcome:
    return Outcome(
        decision_id=of.id,
        recorded_at=of.decided_at,
        segment=of.segment,
        model=model or of.model,
        tier=of.tier,
        success=True,
        latency_ms=100.0,
        cost_usd=cost_usd,
    )


def logged(*events: Event) -> History:
    store = MemoryStore()
    store.append(events, fold)
    return read_history(store)


def report(history: History, **given: object) -> OffPolicyReport:
    policies = {"random": RandomPolicy()}
    return off_policy_report(history, policies, THREE_TIERS, **{"train_share": 0.0, **given})  # type: ignore[arg-type]


def test_a_row_is_what_its_newest_ratings_say_on_average() -> None:
    first, second = decision(1), decision(2)
    history = logged(
        first,
        second,
        rating(first, 0.1),
        rating(first, 0.9, number=1, after_s=5.0),
        rating(first, 0.5, source="judge"),
        rating(second, 0.3, after_s=9.0),
        rating(second, 1.0, number=1, after_s=1.0),
    )
    assert {r.quality for r in history.ratings["d1"]} == {0.9, 0.5}
    found = report(history)
    assert found.logged.quality is not None
    assert found.logged.quality.value == pytest.approx(((0.9 + 0.5) / 2 + 0.3) / 2)


def test_what_is_of_no_use_is_counted_and_left_out() -> None:
    named, unrated, passed, judged, user, impossible = (decision(i) for i in range(6))
    named = replace(named, policy=REQUESTED)
    passed = replace(passed, will_judge=False, judge_rate=0.1)
    judged = replace(judged, will_judge=True, judge_rate=0.1)
    impossible = decision(5, "small", probabilities=(0.0, 0.5, 0.5))
    rated = (named, passed, judged, user, impossible)
    found = report(logged(*rated, unrated, *(rating(one, 0.5) for one in rated)))
    census = found.census
    assert (census.decisions, census.rated, census.judged) == (6, 2, 1)
    assert (census.requested, census.unrated, census.passed_over, census.impossible) == (1, 1, 1, 1)


def test_a_judged_request_stands_for_those_that_were_not() -> None:
    """The coin fell once in ten in one stage and always in the other."""
    other = stage_segment("review", "summary")
    seldom = [decision(i, will_judge=True, judge_rate=0.1) for i in range(10)]
    often = [decision(100 + i, segment=other, will_judge=True, judge_rate=1.0) for i in range(100)]
    ratings = [*(rating(one, 0.0) for one in seldom), *(rating(one, 1.0) for one in often)]
    found = report(logged(*seldom, *often, *ratings))
    assert found.logged.quality is not None
    assert found.logged.quality.value == pytest.approx(0.5)


def test_a_choice_costs_what_its_fallback_cost_too() -> None:
    one, two = decision(1), decision(2)
    history = logged(
        one,
        two,
        outcome(one, 0.25),
        outcome(one, 0.5, model="large"),
        outcome(two, 0.25),
        rating(one, 1),
        rating(two, 1),
    )
    found = report(history)
    assert found.logged.cost_usd is not None
    assert found.logged.cost_usd.value == pytest.approx((0.75 + 0.25) / 2)


def test_a_cost_that_is_known_in_part_is_not_known() -> None:
    one, two, three = decision(1), decision(2), decision(3)
    costs = [outcome(one, 0.25), outcome(one, None, model="large"), outcome(two, 0.5), outcome(three, 0.5)]
    found = report(logged(one, two, three, *costs, *(rating(d, 1) for d in (one, two, three))))
    assert found.logged.cost_usd is not None
    assert found.logged.cost_usd.value == pytest.approx(0.5)


class Spy(BasePolicy):
    """Notes what it is asked and told."""

    name: ClassVar[str] = "spy"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "notes what it is asked"

    def __init__(self) -> None:
        self.situations: list[Situation] = []
        self.events: list[Event] = []
        self.seen: list[Decision] = []
        self.frozen_at: list[int] = []

    def propose(self, situation: Situation) -> Proposal:
        self.situations.append(situation)
        self.frozen_at.append(situation.knowledge.version)
        share = 0.9 if situation.will_judge else 0.5
        rest = (1 - share) / max(len(situation.eligible) - 1, 1)
        candidates = tuple(
            Candidate(m.model_id, m.tier, rest if i else share) for i, m in enumerate(situation.eligible)
        )
        return Proposal(candidates, candidates[0].model_id, "spied")

    def decided(self, decision: Decision) -> None:
        self.seen.append(decision)

    def learned(self, events: Sequence[Event]) -> None:
        self.events += events


def test_a_policy_learns_from_the_first_part_and_is_frozen() -> None:
    decisions = [decision(i) for i in range(40)]
    # the ratings all arrive at the end, and in no order: nothing of the second part is learned all the same
    ratings = [rating(one, i / 40, after_s=1000.0 - i) for i, one in enumerate(decisions)]
    ratings.append(rating(decisions[3], 1.0, number=1, after_s=2000.0))
    stray = replace(rating(decisions[0], 0.5), id="stray", decision_id="", recorded_at=at(1.0))
    late = replace(stray, id="late", recorded_at=at(30.0))
    spy = Spy()
    found = off_policy_report(logged(*decisions, *ratings, stray, late), {"spy": spy}, THREE_TIERS, train_share=0.25)
    assert (found.learned, found.rows, found.since) == (10, 30, at(10))
    assert {event.id for event in spy.events} == {*(f"d{i}/user/{int(i == 3)}" for i in range(10)), "stray"}
    assert [one.id for one in spy.seen] == [f"d{i}/imagined" for i in range(10)]
    valued = spy.situations[10:]
    assert [situation.now_us for situation in valued] == [round(at(i).timestamp() * 1e6) for i in range(10, 40)]
    assert len({situation.knowledge for situation in valued}) == len(set(spy.frozen_at[10:])) == 1
    assert valued[0].knowledge.sums(segment_tier_key(SEGMENT, "cheap")).ratings == 11


def test_the_incumbent_is_what_the_target_would_have_served_last() -> None:
    spy = Spy()
    off_policy_report(
        logged(*(d := [decision(i) for i in range(3)]), *(rating(one, 1.0) for one in d)),
        {"spy": spy},
        THREE_TIERS,
        train_share=0.0,
    )
    assert [situation.incumbent for situation in spy.situations] == ["", "small", "small"]


def test_a_target_may_choose_what_was_eligible_in_the_order_of_the_catalogue() -> None:
    one = decision(1, "large", probabilities=(0.0, 0.5, 0.5), excluded=("small",))
    spy = Spy()
    off_policy_report(logged(one, rating(one, 1.0)), {"spy": spy}, tuple(reversed(THREE_TIERS)), train_share=0.0)
    assert [model.model_id for model in spy.situations[0].eligible] == ["large", "middle"]
    spy = Spy()
    off_policy_report(
        logged(one, rating(one, 1.0)), {"spy": spy}, THREE_TIERS, train_share=0.0, allowed=("small", "middle")
    )
    assert [model.model_id for model in spy.situations[0].eligible] == ["middle"]


def test_a_target_throws_the_judges_coin_itself() -> None:
    """It would give its first model .9 where it will be judged and .5 where not: .1 x .9 + .9 x .5 over both."""
    decisions = [decision(i, will_judge=True, judge_rate=0.1) for i in range(600)]
    chance = random.Random(0)
    drawn = [replace(one, model=chance.choice(NAMES)) for one in decisions]
    spy = Spy()
    found = off_policy_report(
        logged(*drawn, *(rating(one, float(one.model == "small")) for one in drawn)),
        {"spy": spy},
        THREE_TIERS,
        train_share=0.0,
    )
    assert {situation.will_judge for situation in spy.situations} == {True, False}
    assert {situation.judge_rate for situation in spy.situations} == {0.1}
    quality = found.valuations["spy"].quality
    assert quality is not None
    assert quality.dr.value == pytest.approx(0.1 * 0.9 + 0.9 * 0.5, abs=0.01)


def test_a_policy_concludes_from_what_it_learned() -> None:
    """Small fails in the first part, so tier-rules serves the second with middle; nobody ever logged that move."""
    chance = random.Random(0)
    worth = {"small": 0.3, "middle": 0.8, "large": 0.9}
    decisions = [decision(i, chance.choice(NAMES)) for i in range(1200)]
    ratings = [
        rating(one, float(chance.random() < worth[one.model]), source=f"u{i % 9}") for i, one in enumerate(decisions)
    ]
    found = off_policy_report(
        logged(*decisions, *ratings),
        {"tier-rules": TierRulesPolicy(), "fixed": FixedPolicy("middle")},
        THREE_TIERS,
    )
    rules, fixed = found.valuations["tier-rules"].quality, found.valuations["fixed"].quality
    assert rules is not None
    assert fixed is not None
    assert rules.dr.low < 0.8 < rules.dr.high
    assert fixed.dr.low < 0.8 < fixed.dr.high
    assert rules.difference.low > 0


def test_only_the_segments_of_concern() -> None:
    other = stage_segment("other", "stage")
    decisions = [decision(1), decision(2, segment=other), decision(3)]
    found = report(logged(*decisions, *(rating(one, 1.0) for one in decisions)), concerns=lambda s: s == SEGMENT)
    assert (found.census.decisions, found.rows) == (2, 2)


def test_a_trimmed_log_is_read_from_where_it_begins() -> None:
    store = MemoryStore()
    day_s = 86_400.0
    old, new = [decision(i) for i in range(700)], [decision(i, seconds=day_s * 3 + i) for i in range(700, 750)]
    for some in (old, new):
        for one in some:
            store.append([one, rating(one, 0.5)], fold)
    assert store.trim(at(day_s * 2)) == 1400
    history = read_history(store)
    assert [one.id for one in history.decisions] == [one.id for one in new]
    assert len(history.ratings) == 50


def test_an_empty_log_supports_nothing() -> None:
    found = report(logged())
    assert found.rows == 0
    assert not found.valuations["random"].overlap.enough
    assert found.logged.quality is None


def test_models_are_known_from_the_log_as_far_as_it_tells() -> None:
    found = models_of(logged(decision(1)), THREE_TIERS[1:2])
    assert [(model.model_id, model.tier) for model in found] == [
        ("middle", "capable"),
        ("small", "cheap"),
        ("large", "premium"),
    ]
    assert found[0] is THREE_TIERS[1]


def test_everything_cannot_be_for_learning() -> None:
    with pytest.raises(InvalidInput, match="train_share"):
        report(logged(), train_share=1.0)
