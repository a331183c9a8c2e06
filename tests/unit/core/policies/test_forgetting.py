"""After a drift was found, every policy that learns looks at what came since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.happenings import at, feedback
from tiercel.core.beliefs.change import POLICY as ERA
from tiercel.core.beliefs.change import model_segment
from tiercel.core.beliefs.forgetting import HALF_LIVES_PER_TURN, POLICIES, Metric, drift_place, place_of, ticks
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy
from tiercel.core.policies.base import Situation
from tiercel.core.policies.contextual import ContextualPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import fold, micros
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.events import Label, Outcome, StandingChange
from tiercel.domain.request import RequestContext, Segment, stage_segment

SEGMENT = stage_segment("review", "analysis")
MODELS = (ModelProfile(model_id="small", tier="cheap"), ModelProfile(model_id="large", tier="capable"))


def drifted(metric: Metric, since_s: float, *, segment: Segment = SEGMENT, turns: int = 1) -> StandingChange:
    return StandingChange(
        changed_at=at(since_s + 10),
        segment=drift_place(segment, "small"),
        policy=POLICIES[metric],
        previous="steady",
        current="drifted",
        reason="as told",
        confidence=1.0,
        revision=turns,
        evidence={"since_us": micros(at(since_s)), "turns": turns},
    )


def call(number: int, latency_ms: float) -> Outcome:
    return Outcome(
        decision_id=f"d{number}",
        recorded_at=at(number),
        segment=SEGMENT,
        model="small",
        tier="cheap",
        success=True,
        latency_ms=latency_ms,
    )


def knowing(*events: object) -> Knowledge:
    knowledge = Knowledge()
    knowledge.add(fold(events))  # type: ignore[arg-type]
    return knowledge


def situation(knowledge: Knowledge) -> Situation:
    request = RequestContext(workflow="review", stage="analysis")
    return Situation(request, SEGMENT, MODELS, knowledge, "", micros(at(100)))


@pytest.mark.parametrize("where", [SEGMENT, ()])
def test_scores_are_of_the_calls_since_latency_drifted(where: Segment) -> None:
    calls = [call(n, 5_000.0 if n < 80 else 50.0) for n in range(100)]
    before, after = knowing(*calls), knowing(*calls, drifted(Metric.LATENCY, 80, segment=where))
    scores = [AdaptiveScorePolicy().propose(situation(known)).candidates[0].score or 0.0 for known in (before, after)]
    assert scores[1] > scores[0] + 5
    prospects = [ContextualPolicy().prospects(situation(known))[0].latency_s for known in (before, after)]
    assert prospects == [pytest.approx(4.01), pytest.approx(0.05)]


def test_a_stage_moves_on_the_ratings_since_quality_drifted() -> None:
    ratings = [
        feedback(f"f{n}", 0.95 if n < 25 else 0.4, seconds=n, model="small", tier="cheap", decision_id=f"d{n}")
        for n in range(40)
    ]
    ratings = [replace(rating, segment=SEGMENT) for rating in ratings]
    policy = TierRulesPolicy()
    patient = knowing(*ratings)
    told = knowing(*ratings, drifted(Metric.QUALITY, 25))
    assert policy.review(SEGMENT, MODELS, patient, micros(at(50))) is None
    change = policy.review(SEGMENT, MODELS, told, micros(at(50)))
    ahead = knowing(*ratings, drifted(Metric.QUALITY, 25), drifted(Metric.QUALITY, 900_000, segment=()))
    assert policy.review(SEGMENT, MODELS, ahead, micros(at(50))) == change  # a clock that was ahead says nothing
    assert change is not None
    assert (change.previous, change.current) == ("cheap", "capable")


def test_drift_is_no_era_and_drops_nothing_that_contextual_learned() -> None:
    rated = feedback("f1", 0.9, model="small", tier="cheap")
    rated = replace(rated, segment=SEGMENT, label=Label(tick=1.0, era=0))
    deltas = fold([rated, drifted(Metric.QUALITY, 5, segment=(), turns=4)])
    deltas.drop_past_eras()
    assert len(deltas.moments) == 1
    era = replace(drifted(Metric.QUALITY, 5, segment=(), turns=4), policy=ERA, segment=model_segment("small"))
    deltas.merge(fold([era]))
    deltas.drop_past_eras()
    assert not deltas.moments


def test_each_turn_of_cost_ages_what_came_before() -> None:
    knowledge = knowing(drifted(Metric.COST, 5, turns=2), drifted(Metric.COST, 5, segment=(), turns=1))
    assert ticks(knowledge, SEGMENT, "small") == 3 * HALF_LIVES_PER_TURN
    assert ticks(knowledge, SEGMENT, "large") == 0


@pytest.mark.parametrize("segment", [SEGMENT, (), ("agent", "a")])
def test_places_say_what_they_are_about(segment: Segment) -> None:
    standing = replace(drifted(Metric.COST, 1), segment=drift_place(segment, "m"))
    assert place_of(standing) == (segment, "m")
