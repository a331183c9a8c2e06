"""Policies by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tiercel.config.settings import APPROVAL, AT_ONCE, BOTH, ROLLOUT, RouteSettings, Settings
from tiercel.core.pacing import NEVER, Goal
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy, AdaptiveScoreSettings
from tiercel.core.policies.base import DEFAULT_PROBE_SHARE, BasePolicy, Policy
from tiercel.core.policies.contextual import ContextualPolicy, ContextualSettings
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.gated import GatedPolicy, GateSettings
from tiercel.core.policies.judged import JudgedPolicy, JudgedSettings
from tiercel.core.policies.knn import KnnPolicy
from tiercel.core.policies.outlook import OutlookSettings
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.safe import SafePolicy, SafeSettings
from tiercel.core.policies.segment import SegmentPolicy
from tiercel.core.policies.switched import SwitchedPolicy
from tiercel.core.policies.thompson import ThompsonPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy, TierRulesSettings
from tiercel.domain.errors import InvalidInput, Problem


def _adaptive_settings(route: RouteSettings, settings: Settings) -> AdaptiveScoreSettings:
    probe_share = DEFAULT_PROBE_SHARE if route.probe_share is None else route.probe_share
    return AdaptiveScoreSettings(config=settings.adaptive, probe_share=probe_share)


def _fixed(route: RouteSettings, settings: Settings) -> Policy:  # noqa: ARG001 - one signature for all builders
    return FixedPolicy(route.model or (route.models[0] if route.models else ""))


def _random(route: RouteSettings, settings: Settings) -> Policy:  # noqa: ARG001
    return RandomPolicy()


def _tier_rules(route: RouteSettings, settings: Settings) -> Policy:
    adaptive = _adaptive_settings(route, settings)
    return TierRulesPolicy(
        TierRulesSettings(
            tiers=settings.tiers,
            start_tier=route.start_tier or settings.tiers[0],
            min_samples=settings.feedback.min_samples,
            quality_threshold=settings.feedback.quality_threshold,
            trusted_sources=settings.trusted_sources,
            probe_share=adaptive.probe_share,
            adaptive=adaptive,
        )
    )


def _adaptive_score(route: RouteSettings, settings: Settings) -> Policy:
    return AdaptiveScorePolicy(_adaptive_settings(route, settings))


def _learning(kind: type[ContextualPolicy]) -> Callable[[RouteSettings, Settings], Policy]:
    def build(route: RouteSettings, settings: Settings) -> Policy:
        goal = _goal(route)
        policy: Policy = kind(ContextualSettings(goal=goal, outlook=OutlookSettings(tiers=settings.tiers)))
        if route.judge is not None:
            policy = JudgedPolicy(policy, JudgedSettings(budget_usd=goal.budget_usd))
        return policy

    return build


def _goal(route: RouteSettings) -> Goal:
    weights = (route.quality_weight, route.cost_weight, route.latency_weight)
    if all(weight is None for weight in weights):
        return Goal(budget_usd=route.budget_usd_per_request, target_quality=route.target_quality)
    quality = 1.0 if route.quality_weight is None else max(route.quality_weight, 1e-12)
    price, latency_price = (
        min((weight or 0.0) / quality, NEVER) for weight in (route.cost_weight, route.latency_weight)
    )
    return Goal(price=price, latency_price=latency_price)


def _incumbent(route: RouteSettings, settings: Settings) -> str:
    """The model named; else the dearest by price, of those without a price that of the highest tier."""
    models = [model for model in settings.models if not route.models or model.model_id in route.models]
    if route.incumbent or not models:
        return route.incumbent
    return max(models, key=lambda m: (m.price.output if m.price else 0.0, settings.tiers.index(m.tier))).model_id


POLICIES: Mapping[str, tuple[type[BasePolicy], Callable[[RouteSettings, Settings], Policy]]] = {
    ContextualPolicy.name: (ContextualPolicy, _learning(ContextualPolicy)),
    SegmentPolicy.name: (SegmentPolicy, _learning(SegmentPolicy)),
    ThompsonPolicy.name: (ThompsonPolicy, _learning(ThompsonPolicy)),
    KnnPolicy.name: (KnnPolicy, _learning(KnnPolicy)),
    TierRulesPolicy.name: (TierRulesPolicy, _tier_rules),
    AdaptiveScorePolicy.name: (AdaptiveScorePolicy, _adaptive_score),
    FixedPolicy.name: (FixedPolicy, _fixed),
    RandomPolicy.name: (RandomPolicy, _random),
}
"""Every policy by name, with how a route's settings make one."""


def build_policy(route: RouteSettings, settings: Settings) -> Policy:
    """The policy a route names. Raises `InvalidInput` for a name that is not in `POLICIES`."""
    if route.policy not in POLICIES:
        raise InvalidInput([Problem("policy", f"must be one of {', '.join(POLICIES)}", repr(route.policy), "unknown")])
    policy = POLICIES[route.policy][1](route, settings)
    if route.max_quality_loss is not None:
        policy = SafePolicy(policy, SafeSettings(epsilon=route.max_quality_loss, incumbent=_incumbent(route, settings)))
    if route.from_policy:
        before = replace(route, policy=route.from_policy, from_policy="", changes=AT_ONCE)
        policy = SwitchedPolicy(policy, build_policy(before, settings))
    return policy if route.changes == AT_ONCE else GatedPolicy(policy, _gate(route, settings))


def _gate(route: RouteSettings, settings: Settings) -> GateSettings:
    given: dict[str, Any] = {
        "approval_timeout_s": route.approval_timeout_s,
        "ask_again_s": route.ask_again_s,
        "shares": route.rollout_shares or None,
        "min_ratings": route.rollout_min_ratings,
        "tolerance": route.rollout_tolerance,
        "confidence": route.rollout_confidence,
    }
    gate = GateSettings(
        approval=route.changes in (APPROVAL, BOTH),
        rollout=route.changes in (ROLLOUT, BOTH),
        only_down=route.changes_apply_to == "down",
        tiers=settings.tiers,
    )
    return replace(gate, **{name: value for name, value in given.items() if value is not None})
