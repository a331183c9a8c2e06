"""Routers and what calls models, from a configuration."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

from tiercel.adapters.openai_provider import OpenAIProvider
from tiercel.adapters.price_list import price_of
from tiercel.adapters.static_embedding import StaticEmbedding
from tiercel.bootstrap.policies import POLICIES, build_policy
from tiercel.bootstrap.stores import SYSTEM_CLOCK
from tiercel.config.environment import provider_keys
from tiercel.config.file import load
from tiercel.config.prices import Priced, with_prices
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.draws import Uniform, seeded, unseeded
from tiercel.core.features import Basis
from tiercel.core.limits import Limits
from tiercel.core.policies.base import Policy
from tiercel.domain.catalogue import Catalogue
from tiercel.ports import Provider
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.learning.learner import Learner


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
