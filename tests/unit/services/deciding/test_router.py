"""Deciding and crediting: what the router adds to its policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.routing import bench
from support.worlds import THREE_TIERS, model
from tiercel.core.draws import seeded
from tiercel.core.grading import JudgeSettings
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy
from tiercel.core.policies.base import Situation
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.core.statistics.fold import model_key, segment_model_key
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.decision import Proposal
from tiercel.domain.errors import InvalidInput, NoEligibleModel, UnknownDecision, UnknownModel
from tiercel.domain.events import CLIENT_LEFT
from tiercel.domain.request import RequestContext, stage_segment
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route
from tiercel.services.rating.intake import FeedbackRequest

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


JUDGED = Route(policy=RandomPolicy(), match="review/*", judge=JudgeSettings(model="large", rate=0.25))


def test_the_judges_coin_is_thrown_before_the_choice_where_the_answer_will_be_at_hand() -> None:
    with bench(routes=[JUDGED]) as b:
        b.draws[:] = [0.2, 0.9, 0.25, 0.1, 0.5]
        judged, spared = (b.router.decide(REVIEW, may_judge=True) for _ in range(2))
        elsewhere = b.router.decide(REVIEW)
        unjudged = b.router.decide(RequestContext(workflow="other"), may_judge=True)
    assert (judged.will_judge, judged.judge_rate, judged.model) == (True, 0.25, "large")
    assert (spared.will_judge, spared.judge_rate, spared.model) == (False, 0.25, "small")
    assert (elsewhere.will_judge, elsewhere.judge_rate, elsewhere.model) == (None, 0.0, "middle")
    assert (unjudged.will_judge, unjudged.judge_rate) == (None, 0.0)


def test_under_a_seed_the_coin_repeats_and_falls_apart_from_the_choice() -> None:
    with bench(routes=[JUDGED]) as b:
        router = Router(b.router.table, b.learner, uniform=seeded(7))
        first, again = ([router.decide(REVIEW, request_id=f"r{i}", may_judge=True) for i in range(2000)] for _ in "12")
        unjudged = [router.decide(REVIEW, request_id=f"r{i}") for i in range(2000)]
        unnamed = [router.decide(REVIEW, may_judge=True).will_judge for _ in range(2000)]
    assert [(d.will_judge, d.model) for d in first] == [(d.will_judge, d.model) for d in again]
    assert [d.model for d in first] == [d.model for d in unjudged]
    # five standard errors of 2,000 throws are .048, of the 500 judged ones' share of a model .11
    assert abs(sum(1 for d in first if d.will_judge) / 2000 - 0.25) < 0.048
    assert abs(sum(1 for coin in unnamed if coin) / 2000 - 0.25) < 0.048
    judged = [d.model for d in first if d.will_judge]
    assert all(abs(judged.count(model_id) / len(judged) - 1 / 3) < 0.11 for model_id in ("small", "middle", "large"))


def test_a_policy_sees_the_coin_and_proposals_for_either_side_are_kept_apart() -> None:
    class ExploresWhenJudged(RandomPolicy):
        def propose(self, situation: Situation) -> Proposal:
            return super().propose(situation) if situation.will_judge else FixedPolicy("small").propose(situation)

    with bench(routes=[replace(JUDGED, policy=ExploresWhenJudged())]) as b:
        b.draws[:] = [0.0, 0.9, 0.9, 0.9] * 2
        models = [b.router.decide(REVIEW, may_judge=True).model for _ in range(4)]
    assert models == ["large", "small"] * 2


def test_a_judge_must_be_a_model_of_the_catalogue() -> None:
    with (
        pytest.raises(InvalidInput, match=r"routes\[0\]\.judge\.model: is no model of the catalogue"),
        bench(routes=[Route(policy=RandomPolicy(), judge=JudgeSettings(model="huge"))]),
    ):
        pass
