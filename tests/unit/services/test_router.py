"""Deciding and crediting: what the router adds to its policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.routing import bench
from support.worlds import THREE_TIERS, model
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import model_key, segment_model_key
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.errors import InvalidInput, NoEligibleModel, UnknownDecision, UnknownModel
from tiercel.domain.events import CLIENT_LEFT
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.services.intake import FeedbackRequest
from tiercel.services.routes import Route

REVIEW = RequestContext(workflow="review", stage="analysis")


def test_a_decision_explains_itself() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
    assert decision.model == "small"
    assert decision.propensity == 1.0
    assert "small (cheap) by tier-rules v1: the policy's choice, probability 1" in decision.explain()
    assert {c.model_id for c in decision.proposal.candidates} == {"small", "middle", "large"}


def test_the_draw_decides_and_its_probability_is_kept() -> None:
    with bench(policy=RandomPolicy()) as b:
        b.draws[:] = [0.0, 0.34, 0.67]
        decisions = [b.router.decide(REVIEW) for _ in range(3)]
    assert [d.model for d in decisions] == ["small", "middle", "large"]
    assert all(d.propensity == pytest.approx(1 / 3) for d in decisions)
    assert decisions[1].explored


def test_models_outside_the_route_are_candidates_with_a_reason() -> None:
    with bench(routes=[Route(policy=FixedPolicy("large"), match="review/*", models=("large",))]) as b:
        decision = b.router.decide(REVIEW)
        elsewhere = b.router.decide(RequestContext(workflow="other"))
    assert decision.model == "large"
    assert {c.model_id: c.excluded for c in decision.proposal.candidates if c.excluded} == {
        "small": "not a model of this route",
        "middle": "not a model of this route",
    }
    assert elsewhere.model == "small"


def test_a_prompt_too_long_excludes_a_model_and_says_so() -> None:
    models = (*THREE_TIERS, ModelProfile(model_id="long", tier="premium", context_length=200_000))
    with bench(models=models) as b:
        decision = b.router.decide(RequestContext(workflow="w", prompt_tokens=100_000))
    assert decision.model == "long"
    excluded = next(c.excluded for c in decision.proposal.candidates if c.model_id == "small")
    assert excluded == "context of 8192 tokens is too short for a prompt of about 100000"


def test_nothing_eligible_names_every_reason() -> None:
    with bench() as b, pytest.raises(NoEligibleModel) as error:
        b.router.decide(RequestContext(requires=("vision",), require_all=True))
    assert error.value.reasons == dict.fromkeys(("small", "middle", "large"), "lacks required vision")


def test_a_registered_agent_brings_its_requirements() -> None:
    agent = Agent(agent_id="painter", required=("vision",), require_all=True)
    models = (*THREE_TIERS, ModelProfile(model_id="seer", tier="premium", capabilities={"vision": 0.9}))
    with bench(models=models, agents=[agent]) as b:
        decision = b.router.decide(RequestContext(agent_id="painter"))
    assert decision.model == "seer"
    assert decision.segment == ("agent", "painter")


def test_a_requested_model_is_used_and_measured() -> None:
    with bench() as b:
        decision = b.router.requested("large", REVIEW)
        with pytest.raises(UnknownModel, match="gpt-99"):
            b.router.requested("gpt-99", REVIEW)
    assert (decision.model, decision.policy, decision.propensity) == ("large", "requested", 1.0)


def test_an_outcome_is_priced_from_the_catalogue_and_learned() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
        outcome = b.router.outcome(decision, success=True, latency_ms=120.0, prompt_tokens=1_000, completion_tokens=500)
        b.learner.record(outcome)
        sums = b.learner.knowledge.sums(model_key("small"))
    assert outcome.cost_usd == pytest.approx((1_000 * 1.0 + 500 * 2.0) / 1e6)
    assert (sums.requests, sums.successes, sums.mean_latency_ms) == (1, 1, 120.0)


def test_feedback_is_credited_to_the_model_that_answered() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
        b.learner.record(
            b.router.outcome(decision, success=False, latency_ms=5.0, error="timeout"),
            b.router.outcome(decision, success=True, latency_ms=9.0, model="middle", fallback_from="small"),
        )
        events, receipt = b.intake.send([FeedbackRequest(decision_id=decision.id, quality=0.4)])
        receipt.result(10)
        ratings = b.learner.knowledge.sums(segment_model_key(stage_segment("review", "analysis"), "middle")).ratings
    assert (events[0].model, events[0].tier) == ("middle", "capable")
    assert ratings == 1


def test_late_feedback_finds_a_decision_this_process_has_forgotten() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
        b.learner.flush()
        with bench() as other:
            other.router.learner.store = b.store
            assert other.router.find(decision.id)[0].id == decision.id
            with pytest.raises(UnknownDecision):
                other.router.find("dec_never")


def test_a_decision_does_not_wait_for_a_store_that_is_away() -> None:
    with bench() as b:
        b.store.away = 3
        decision = b.router.decide(REVIEW)
        b.learner.flush()
        assert decision.model == "small"
        assert not b.learner.degraded, "back after three failures"
        assert b.store.tried >= 4
        assert b.store.decision(decision.id) is not None, "and nothing was lost"


def test_bad_ratings_move_the_stage_in_the_same_go() -> None:
    with bench() as b:
        for _ in range(40):
            decision = b.router.decide(REVIEW)
            _, receipt = b.intake.send([FeedbackRequest(decision_id=decision.id, quality=0.3, source="judge")])
            receipt.result(10)
        assert b.router.decide(REVIEW).model in {"middle", "large"}
        assert b.router.decide(RequestContext(workflow="elsewhere")).model == "small"


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (FeedbackRequest(quality=1.5, decision_id="d"), "quality"),
        (FeedbackRequest(quality=float("nan"), decision_id="d"), "quality"),
        (FeedbackRequest(quality=True, decision_id="d"), "quality"),
        (FeedbackRequest(quality=0.5, workflow="", stage="s", tier="cheap"), "workflow"),
        (FeedbackRequest(quality=0.5, workflow="w", stage="s", tier="golden"), "tier"),
        (FeedbackRequest(quality=0.5, workflow="w", stage="s", model="gpt-99"), "model"),
        (FeedbackRequest(quality=0.5, workflow="w\n", stage="s", tier="cheap"), "workflow"),
        (FeedbackRequest(quality=0.5, decision_id="d", metadata={"a": "x" * 20_000}), "metadata"),
        (FeedbackRequest(quality=0.5, decision_id="d", metadata={str(i): i for i in range(65)}), "metadata"),
    ],
)
def test_bad_feedback_says_where_it_is_bad(request_: FeedbackRequest, path: str) -> None:
    with bench() as b, pytest.raises(InvalidInput) as error:
        b.intake.prepare(request_)
    assert path in {problem.path for problem in error.value.problems}


def test_models_of_an_unknown_route_are_refused() -> None:
    with (
        pytest.raises(InvalidInput, match="gpt-99"),
        bench(routes=[Route(policy=RandomPolicy(), models=("gpt-99",))], models=(model("small", "cheap"),)),
    ):
        pass


def test_a_call_the_client_left_costs_and_says_nothing_of_the_model() -> None:
    with bench() as b:
        decision = b.router.decide(REVIEW)
        b.learner.record(
            b.router.outcome(
                decision, success=True, latency_ms=9e6, prompt_tokens=10, completion_tokens=2, error=CLIENT_LEFT
            )
        )
        sums = b.learner.knowledge.sums(model_key("small"))
        assert not b.learner.knowledge.outcomes(segment_model_key(decision.segment, "small"))
    assert (sums.requests, sums.mean_latency_ms) == (0, None)
    assert sums.cost_usd == pytest.approx(14e-6)


def test_a_route_asked_for_by_name_is_reviewed_by_its_own_policy() -> None:
    routes = [Route(policy=TierRulesPolicy(), match="-", name="smart"), Route(policy=FixedPolicy("large"), match="*")]
    with bench(routes=routes) as b:
        smart = b.router.table.named("smart")
        for _ in range(40):
            decision = b.router.decide(RequestContext(), plan=smart)
            _, receipt = b.intake.send([FeedbackRequest(decision_id=decision.id, quality=0.2)])
            receipt.result(10)
        assert decision.workflow == "smart"
        assert b.router.decide(RequestContext(), plan=smart).model != "small"


def test_a_request_that_few_models_can_serve_does_not_change_who_serves_the_rest() -> None:
    models = (model("best", "capable", 0.82), model("long", "capable", 0.81))
    models = (models[0], replace(models[1], context_length=200_000))
    with bench(models=models, policy=AdaptiveScorePolicy()) as b:
        assert b.router.decide(REVIEW).greedy == "best"
        assert b.router.decide(replace(REVIEW, prompt_tokens=100_000)).greedy == "long"
        assert b.router.decide(replace(REVIEW, requires=("general",))).greedy == "best"
