"""The router: decide, and later credit what happened to the decision that caused it.

    decide:   context -> route -> eligible models -> policy's distribution -> draw -> Decision (logged soon)
    outcome:  decision + what the call did -> Outcome (logged)
    feedback: see services/rating/intake.py
    learned:  events of a segment -> policy.review -> StandingChange (logged in the same go)

A decision reads memory only. The store's health shows in `Decision.degraded` and never in whether there is a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from tiercel.core.beliefs.labels import label_of
from tiercel.core.capability import match_score as match_score_of
from tiercel.core.draws import Uniform
from tiercel.core.eligibility import divide
from tiercel.core.policies.base import Mixture, Situation, decision_of, draw
from tiercel.core.statistics.fold import micros
from tiercel.domain.catalogue import Agent, Catalogue, ModelProfile
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.errors import NoEligibleModel, UnknownDecision
from tiercel.domain.events import Outcome
from tiercel.domain.request import DEFAULT_NAME, RequestContext, Segment
from tiercel.ports import Appended
from tiercel.services.deciding.recently import Recently
from tiercel.services.deciding.reviews import Reviews
from tiercel.services.deciding.routes import NO_JUDGE, Coin, Plan, RoutingTable
from tiercel.services.ids import new_decision_id
from tiercel.services.learning.learner import Learner

_REMEMBERED = 10_000
REQUESTED = "requested"
"""The policy name of a decision that the caller made by naming a model."""


class Router:
    """Chooses models and keeps book of what came of it. Thread-safe."""

    def __init__(
        self,
        table: RoutingTable,
        learner: Learner,
        *,
        uniform: Uniform,
        new_id: Callable[[], str] = new_decision_id,
        agents: Sequence[Agent] = (),
    ) -> None:
        self.table = table
        self.learner = learner
        self._uniform = uniform
        self._new_id = new_id
        self.agents = {agent.agent_id: agent for agent in agents}
        self._plans: Recently[Segment, Plan] = Recently(_REMEMBERED)
        self._incumbents: Recently[Segment, str] = Recently(_REMEMBERED)
        self._proposals: Recently[tuple[object, ...], tuple[tuple[int, int], Proposal]] = Recently(_REMEMBERED)
        self._decisions: Recently[str, Decision] = Recently(_REMEMBERED)
        self._answered: Recently[str, Outcome] = Recently(_REMEMBERED)
        self._completions: Recently[str, str] = Recently(_REMEMBERED)
        self.reviews = Reviews(learner, self._plan_of)
        learner.review = self.reviews.after
        learner.subscribe(self._learned)
        self._warm_up()

    @property
    def catalogue(self) -> Catalogue:
        """The models that may be chosen."""
        return self.table.catalogue

    def decide(
        self, request: RequestContext, *, request_id: str = "", plan: Plan | None = None, may_judge: bool = False
    ) -> Decision:
        """Choose a model; reads memory only, some tens of microseconds.

        `may_judge` says that the answer will be at hand for the route's judge: only then is the judge's coin thrown.
        Raises `NoEligibleModel`, with a reason for each model.
        """
        if request.agent_id and not request.requires:
            request = self._with_agent(request)
        if plan is not None and not (request.workflow or request.stage or request.agent_id):
            # a route asked for by name is a stage of its own where no other is named
            request = replace(request, workflow=plan.route.name)
        segment = request.segment
        if plan is None:
            plan = self.table.plan(request.workflow or DEFAULT_NAME, request.stage or DEFAULT_NAME)
        if self._plans.get(segment) is not plan:
            self._plans[segment] = plan
        now = self.learner.clock.now()
        # before the choice, so that a policy can explore where it will be told how that went
        coin = plan.throw(self._uniform, request_id) if may_judge else NO_JUDGE
        situation, excluded = self._situation(request, plan, micros(now), coin)
        proposal = self._propose(situation, excluded, plan)
        chosen = draw(proposal, self._uniform(request_id))
        if isinstance(proposal, Mixture):
            number = self._uniform(f"{request_id}\x1farm" if request_id else "")
            proposal = proposal.drawn(chosen.model_id, number)
        decision = self._decided(situation, proposal, chosen, (plan.policy.name, plan.policy.version), now)
        plan.policy.decided(decision)
        return decision

    def _situation(
        self, request: RequestContext, plan: Plan, now_us: int, coin: Coin
    ) -> tuple[Situation, tuple[Candidate, ...]]:
        """What the policy decides from, and who may not serve. Raises `NoEligibleModel`."""
        segment, knowledge, route = request.segment, self.learner.knowledge, plan.route
        eligible, excluded = plan.models, plan.excluded
        if request.require_all or request.prompt_tokens > plan.shortest_context:
            eligible, ineligible = divide(eligible, request)
            excluded = (*ineligible, *excluded)
        if route.limits:
            within, beyond = route.limits.divide(eligible, request, segment, knowledge, now_us)
            if beyond:
                eligible, excluded = within, (*beyond, *excluded)
        if not eligible:
            raise NoEligibleModel({candidate.model_id: candidate.excluded or "" for candidate in excluded})
        vector, basis = plan.read(request)
        incumbent = self._incumbents.get(segment, "")
        return Situation(request, segment, eligible, knowledge, incumbent, now_us, vector, basis, *coin), excluded

    def _propose(self, situation: Situation, excluded: tuple[Candidate, ...], plan: Plan) -> Proposal:
        """The policy's proposal, with the excluded models added.

        One that depends on no more than the requirements is used again for a second, as long as nothing was learned.
        """
        request, segment, policy = situation.request, situation.segment, plan.policy
        coin = (situation.will_judge, situation.judge_rate)
        question = (segment, request.requires, request.prefers, request.min_context_length, plan, coin)
        state = (situation.knowledge.version, situation.now_us // 1_000_000)
        whole = situation.eligible is plan.models
        reusable = whole and not (policy.reads_prompt or policy.keeps_books) and self.table.holds(plan)
        held = self._proposals.get(question) if reusable else None
        if held is not None and held[0] == state:
            return held[1]
        proposal = policy.propose(situation)
        if whole and proposal.greedy != situation.incumbent:
            self._incumbents[segment] = proposal.greedy
        if excluded:
            proposal = replace(proposal, candidates=(*proposal.candidates, *excluded))
        if reusable:
            self._proposals[question] = (state, proposal)
        return proposal

    def requested(self, model_id: str, request: RequestContext) -> Decision:
        """The decision of a caller who asked for one model: probability 1, still measured.

        Raises `UnknownModel`.
        """
        model = self.catalogue[model_id]
        candidate = Candidate(model_id, model.tier, 1.0)
        proposal = Proposal((candidate,), model_id, "the caller asked for this model")
        now = self.learner.clock.now()
        situation = Situation(request, request.segment, (model,), self.learner.knowledge, "", micros(now))
        return self._decided(situation, proposal, candidate, (REQUESTED, "1"), now)

    def outcome(
        self,
        decision: Decision,
        *,
        success: bool,
        latency_ms: float,
        model: str = "",
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost_usd: float | None = None,
        first_token_ms: float | None = None,
        usage_estimated: bool = False,
        error: str = "",
        fallback_from: str = "",
        completion_id: str = "",
        match_score: float | None = None,
    ) -> Outcome:
        """The record of what one call did, priced from the catalogue where `cost_usd` is None. Nothing is logged yet.

        `model` is the model called where that is another than the decision's. Raises `UnknownModel`.
        """
        profile = self.catalogue[model or decision.model]
        if cost_usd is None:
            cost_usd = _priced(profile, prompt_tokens, completion_tokens)
        if match_score is None and decision.requires:
            match_score = match_score_of(decision.requires, (), 0, profile)
        outcome = Outcome(
            decision_id=decision.id,
            recorded_at=self.learner.clock.now(),
            segment=decision.segment,
            model=profile.model_id,
            tier=profile.tier,
            success=success,
            latency_ms=latency_ms,
            first_token_ms=first_token_ms,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cost_usd,
            usage_estimated=usage_estimated,
            error=error,
            fallback_from=fallback_from,
            agent_id=decision.agent_id,
            match_score=match_score,
            completion_id=completion_id,
            label=label_of(decision, profile.model_id, self.learner.knowledge),
        )
        if success:
            self._remember_answer(decision, outcome)
        return outcome

    def _remember_answer(self, decision: Decision, outcome: Outcome) -> None:
        if outcome.completion_id:
            self._completions[outcome.completion_id] = decision.id
        if outcome.model != decision.model:
            self._answered[decision.id] = outcome

    def remembers(self, decision_id: str) -> bool:
        """Whether `find` reads memory only."""
        return self._decisions.get(decision_id) is not None

    def find(self, decision_id: str) -> tuple[Decision, str, str]:
        """A decision with the model and tier that answered it; from memory, else from the outbox or the log.

        Raises `UnknownDecision`.
        """
        decision = self._decisions.get(decision_id)
        if decision is not None:
            answer = self._answered.get(decision_id)
            return (decision, answer.model, answer.tier) if answer else (decision, decision.model, decision.tier)
        record = self.learner.decision(decision_id)
        if record is None:
            raise UnknownDecision(decision_id)
        answers = [outcome for outcome in record.outcomes if outcome.success]
        last = answers[-1] if answers else None
        decision = record.decision
        return (decision, last.model, last.tier) if last else (decision, decision.model, decision.tier)

    def decision_of_completion(self, completion_id: str) -> str:
        """The decision whose call answered with that completion id. Raises `UnknownDecision`."""
        decision_id = self._completions.get(completion_id)
        decision_id = decision_id or self.learner.store.decision_of_completion(completion_id)
        if decision_id is None:
            raise UnknownDecision(completion_id)
        return decision_id

    def _decided(
        self, situation: Situation, proposal: Proposal, chosen: Candidate, policy: tuple[str, str], now: datetime
    ) -> Decision:
        """The record of a choice by the policy of that name and version, kept at hand and left to be logged."""
        decision = decision_of(
            situation,
            proposal,
            chosen,
            decision_id=self._new_id(),
            decided_at=now,
            policy=policy,
            degraded=self.learner.degraded,
        )
        self._decisions[decision.id] = decision
        self.learner.leave(decision)
        return decision

    def _with_agent(self, request: RequestContext) -> RequestContext:
        agent = self.agents.get(request.agent_id)
        if agent is None:
            return request
        return replace(
            request,
            requires=tuple(agent.required),
            prefers=tuple(agent.preferred),
            min_context_length=agent.min_context_length,
            require_all=agent.require_all,
        )

    def _warm_up(self) -> None:
        """Let policies draw their first conclusions from a log that is there already, before a request waits for it."""
        now_us = micros(self.learner.clock.now())
        for plan in self.table.plans:
            if plan.models and plan.policy.keeps_books:
                request = RequestContext()
                situation = Situation(
                    request, request.segment, plan.models, self.learner.knowledge, "", now_us, *plan.read(request)
                )
                plan.policy.propose(situation)

    def _learned(self, learned: Appended) -> None:
        for policy in {id(plan.policy): plan.policy for plan in self.table.plans}.values():
            policy.learned(learned.accepted)

    def _plan_of(self, segment: Segment) -> Plan:
        """The plan that last decided for a segment, else the one that would."""
        return self._plans.get(segment) or self.table.plan_of(segment)


def _priced(model: ModelProfile, prompt_tokens: int | None, completion_tokens: int | None) -> float | None:
    """What a call cost by the catalogue; None where it does not say or the tokens are not known."""
    if model.price is None or prompt_tokens is None:
        return None
    return model.price.cost_usd(prompt_tokens, completion_tokens or 0)
