"""The one place where adapters meet services."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.openai_provider import OpenAIProvider
from tiercel.adapters.price_list import price_of
from tiercel.adapters.sqlite_store import SqliteOutbox, SqliteStore
from tiercel.adapters.sqlite_store.outbox import outboxes_of_others
from tiercel.adapters.static_embedding import StaticEmbedding
from tiercel.config.environment import provider_keys
from tiercel.config.file import load
from tiercel.config.prices import Priced, with_prices
from tiercel.config.settings import RouteSettings, Settings, StoreSettings
from tiercel.config.urls import outbox_file, store_file, store_url_problem
from tiercel.core.draws import Uniform, seeded, unseeded
from tiercel.core.features import Basis
from tiercel.core.limits import Limits
from tiercel.core.pacing import NEVER, Goal
from tiercel.core.policies.adaptive_score import AdaptiveScorePolicy, AdaptiveScoreSettings
from tiercel.core.policies.base import DEFAULT_PROBE_SHARE, BasePolicy, Policy
from tiercel.core.policies.contextual import ContextualPolicy, ContextualSettings
from tiercel.core.policies.fixed import FixedPolicy
from tiercel.core.policies.judged import JudgedPolicy, JudgedSettings
from tiercel.core.policies.knn import KnnPolicy
from tiercel.core.policies.outlook import OutlookSettings
from tiercel.core.policies.random import RandomPolicy
from tiercel.core.policies.safe import SafePolicy, SafeSettings
from tiercel.core.policies.segment import SegmentPolicy
from tiercel.core.policies.thompson import ThompsonPolicy
from tiercel.core.policies.tier_rules import TierRulesPolicy, TierRulesSettings
from tiercel.core.server_address import on_servers
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.errors import InvalidInput, MissingDependency, Problem
from tiercel.ports import Clock, Outbox, Provider, Store
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner

log = logging.getLogger("tiercel.outbox")

SYSTEM_CLOCK = SystemClock()
SHARED_IDLE_S = 0.4
"""How often the end of a log is looked at that other machines write to: so that all know the same within a second."""


def open_store(url: str) -> Store:
    """The store at `url`, in one of the forms of config/urls.py.

    Raises `InvalidInput` for another scheme, `MissingDependency` where its client is not installed, `StoreError` when
    the file cannot be used. A server is first spoken to when the store is used.
    """
    problem = store_url_problem("store.url", url, secret=True)
    if problem is not None:
        raise InvalidInput([problem])
    if on_servers(url):
        return _redis_store(url)
    file = store_file(url)
    return MemoryStore() if file is None else SqliteStore(file)


def _redis_store(url: str) -> Store:
    try:
        # an extra that takes longer to import than tiercel: only those who name such a store need it
        from tiercel.adapters.redis_store import RedisStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        raise MissingDependency("redis", "redis", "a store redis://") from error
    return RedisStore(url)


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
    return policy


def build_route(route: RouteSettings, settings: Settings) -> Route:
    """A route with its policy, what the policy reads, its limits and its judge.

    Raises `InvalidInput` for an unknown policy or an embedding that cannot be read.
    """
    embedding = StaticEmbedding(Path(route.embedding)) if route.embedding else None
    basis = Basis(
        given=route.features,
        embedding=embedding.name if embedding else "",
        dimensions=route.embedding_dimensions if embedding else 0,
        embed=embedding,
    )
    return Route(
        policy=build_policy(route, settings),
        match=route.match,
        models=route.models,
        name=route.name,
        judge=route.judge,
        basis=basis,
        limits=Limits(max_cost_usd=route.max_cost_usd, max_latency_ms=route.max_latency_ms),
    )


def load_priced(path: Path) -> Priced:
    """The configuration in `path`, every model priced that the file or the price list prices, and by which of them.

    Raises `ConfigurationError` with every problem of the file.
    """
    return with_prices(load(path, policies=POLICIES), partial(price_of, at=SYSTEM_CLOCK.now()))


def load_settings(path: Path) -> Settings:
    """The configuration in `path`, priced. Raises `ConfigurationError` with every problem of the file."""
    return load_priced(path).settings


def build_providers(settings: Settings) -> dict[str, Provider]:
    """A client per provider, with its key from the environment. Call it where an event loop runs.

    Raises `ConfigurationError` naming every environment variable that is not set.
    """
    keys = provider_keys(settings)
    return {
        provider.id: OpenAIProvider(provider.base_url, keys[provider.id], timeout_s=provider.timeout_s)
        for provider in settings.providers
    }


def build_learner(store: Store, settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> Learner:
    """The way into `store`, with the state it holds already learned, or learned once it is back."""
    return Learner(
        store,
        clock=clock,
        retention_s=settings.store.retention_s,
        trusted_sources=settings.trusted_sources,
        outbox=build_outbox(store, settings.store),
        settings=CommitSettings(idle_s=SHARED_IDLE_S) if on_servers(store.url) else None,
        jitter=jitter,
    )


def build_outbox(store: Store, settings: StoreSettings, *, of: str = "") -> Outbox | None:
    """What keeps events while `store` is away, and what such a one kept before; None where memory must do."""
    file = outbox_file(url=store.url, outbox=settings.outbox, of=of)
    if file is None:
        return None
    for other in outboxes_of_others(file) if settings.outbox is True else ():
        log.warning(
            "%s holds what a store at another address has not got; if that is this store, name the file once in"
            " [store] outbox to have it delivered",
            other,
        )
    return SqliteOutbox(file, limit=settings.outbox_max_events)


def jitter() -> float:
    """Chance for retries, which many processes are not to make at the same moment."""
    return random.random()  # noqa: S311 - nothing secret


def _system_draws() -> Uniform:
    """Numbers nobody can repeat; a forked process draws its own.

    Draws need no cryptography, and asking the operating system for each would cost several microseconds.
    """
    generator = random.Random()  # noqa: S311
    os.register_at_fork(after_in_child=generator.seed)
    return unseeded(generator)


def build_router(
    settings: Settings,
    learner: Learner,
    *,
    uniform: Uniform | None = None,
    default: RouteSettings | None = None,
    policy: Policy | None = None,
) -> Router:
    """The router of a configuration. What no route matches is decided by `policy`, else as `default` says."""
    catalogue = Catalogue(settings.models, settings.tiers)
    routes = [build_route(route, settings) for route in settings.routes]
    last = replace(default or RouteSettings(), match="*", models=(), name="default")
    last_resort = build_route(last, settings) if policy is None else Route(policy=policy, name="default")
    table = RoutingTable(catalogue, routes, last_resort)
    if uniform is None:
        seed = settings.server.seed
        uniform = _system_draws() if seed is None else seeded(seed)
    return Router(table, learner, uniform=uniform, agents=settings.agents)
