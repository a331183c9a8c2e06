"""Which policy decides for which requests, among which models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tiercel.core.draws import Uniform
from tiercel.core.eligibility import parted
from tiercel.core.features import Basis
from tiercel.core.grading import JudgeSettings
from tiercel.core.limits import Limits
from tiercel.core.policies.base import Policy
from tiercel.domain.catalogue import Catalogue, ModelProfile
from tiercel.domain.decision import Candidate
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.domain.request import DEFAULT_NAME, RequestContext, Segment

_CACHED_SEGMENTS = 10_000

Coin = tuple[bool | None, float]
"""Whether the route's judge grades the answer, and with what probability that was so; None without a judge."""
NO_JUDGE: Coin = (None, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`match` is a glob over "workflow/stage"; `models` are ids (empty: all); `name` is for "auto:<name>".

    `judge` grades a share of the answers (services/judging). `basis` is what a policy that reads prompts is given of
    them; `limits` are what a call may not exceed.
    """

    policy: Policy
    match: str = "*"
    models: tuple[str, ...] = ()
    name: str = ""
    judge: JudgeSettings | None = None
    basis: Basis = field(default_factory=Basis)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A route ready for use: its models, and the rest of the catalogue as excluded candidates."""

    route: Route
    models: tuple[ModelProfile, ...]
    excluded: tuple[Candidate, ...]
    shortest_context: int

    @property
    def policy(self) -> Policy:
        """Who decides."""
        return self.route.policy

    def read(self, request: RequestContext) -> tuple[tuple[float, ...], str]:
        """What the policy is given of a request, and the basis it is in; nothing where it does not read prompts."""
        if not self.route.policy.reads_prompt:
            return (), ""
        return self.route.basis.read(request), self.route.basis.name

    def throw(self, uniform: Uniform, request_id: str) -> Coin:
        """Whether the route's judge is to grade a request's answer."""
        judge = self.route.judge
        if judge is None:
            return NO_JUDGE
        # a number of its own, and for a request without an id the next one
        number = uniform(f"{request_id}\x1fjudge" if request_id else "")
        return number < judge.rate, judge.rate


class RoutingTable:
    """The routes in order: the first whose glob matches decides. The last resort is `default`."""

    def __init__(self, catalogue: Catalogue, routes: Sequence[Route], default: Route) -> None:
        self.catalogue = catalogue
        problems = [
            Problem(f"routes[{i}].models[{j}]", "is no model of the catalogue", repr(model_id), "unknown")
            for i, route in enumerate(routes)
            for j, model_id in enumerate(route.models)
            if catalogue.get(model_id) is None
        ]
        problems += [
            Problem(f"routes[{i}].judge.model", "is no model of the catalogue", repr(route.judge.model), "unknown")
            for i, route in enumerate(routes)
            if route.judge is not None and catalogue.get(route.judge.model) is None
        ]
        if problems:
            raise InvalidInput(problems)
        self.plans = tuple(self._plan(route) for route in (*routes, default))
        # reversed: a route that the operator calls "default" goes before the last resort
        self._own = frozenset(self.plans)
        self._by_name = {plan.route.name: plan for plan in reversed(self.plans) if plan.route.name}
        self._found: dict[tuple[str, str], Plan] = {}

    def plan(self, workflow: str, stage: str) -> Plan:
        """The plan for a stage; under 1 us after the first time."""
        found = self._found.get((workflow, stage))
        if found is None:
            path = f"{workflow}/{stage}"
            found = next((p for p in self.plans if fnmatchcase(path, p.route.match)), self.plans[-1])
            if len(self._found) >= _CACHED_SEGMENTS:
                self._found.clear()
            self._found[workflow, stage] = found
        return found

    def plan_of(self, segment: Segment) -> Plan:
        """The plan for a segment; an agent's own is decided for as the default stage."""
        return self.plan(segment[1], segment[2]) if segment[0] == "stage" else self.plan(DEFAULT_NAME, DEFAULT_NAME)

    def holds(self, plan: Plan) -> bool:
        """Whether `plan` is one of the table's, and not made for a single request."""
        return plan in self._own

    def named(self, name: str) -> Plan | None:
        """The plan of the route with that name, or None."""
        return self._by_name.get(name)

    def _plan(self, route: Route) -> Plan:
        allowed = route.models or tuple(model.model_id for model in self.catalogue)
        models, excluded = parted(
            self.catalogue, lambda model: None if model.model_id in allowed else "not a model of this route"
        )
        return Plan(route, models, excluded, min((model.context_length for model in models), default=0))
