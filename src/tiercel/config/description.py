"""Settings as plain values, for showing. A secret is never among them: only whether its variable is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tiercel.config.environment import PROCESS, access_key_problem, is_set, key_is_set
from tiercel.config.settings import KeySettings, ProviderSettings, RouteSettings, Settings, TelemetrySettings
from tiercel.config.urls import without_password
from tiercel.domain.catalogue import Agent, ModelProfile


def describe(
    settings: Settings, *, price_sources: Mapping[str, str] | None = None, environment: Mapping[str, str] = PROCESS
) -> dict[str, Any]:
    """The settings under the names of the file, defaults included.

    `price_sources` says by model id where each price came from.
    """
    sources = price_sources or {}
    return {
        "store": {**asdict(settings.store), "url": without_password(settings.store.url)},
        "server": {**asdict(settings.server), "public_hosts": list(settings.server.public_hosts)},
        "keys": [_key(key, environment) for key in settings.keys],
        "tiers": list(settings.tiers),
        "providers": [_provider(provider, environment) for provider in settings.providers],
        "models": [_model(model, sources.get(model.model_id)) for model in settings.models],
        "routes": [_route(route) for route in settings.routes],
        "agents": [_agent(agent) for agent in settings.agents],
        "feedback": {**asdict(settings.feedback), "trusted_sources": list(settings.feedback.trusted_sources)},
        "adaptive": asdict(settings.adaptive),
        "alerts": asdict(settings.alerts),
        "rules": [_given(asdict(rule)) for rule in settings.rules],
        "notify": [_given(asdict(channel)) for channel in settings.notify],
        "dashboard": asdict(settings.dashboard),
        "drift": asdict(settings.drift),
        "telemetry": _telemetry(settings.telemetry, environment),
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is not given is left out: it would only say None."""
    kept = {name: value for name, value in values.items() if value not in (None, "", ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def _key(key: KeySettings, environment: Mapping[str, str]) -> dict[str, Any]:
    sound = not access_key_problem(key, environment)
    return {"name": key.name, "role": str(key.role), "key_env": key.key_env, "key_is_set": sound}


def _telemetry(telemetry: TelemetrySettings, environment: Mapping[str, str]) -> dict[str, Any]:
    headers = {name: {"env": env, "is_set": is_set(env, environment)} for name, env in telemetry.headers_env.items()}
    endpoint = without_password(telemetry.endpoint) if telemetry.endpoint else None
    return {"endpoint": endpoint, "headers_env": headers, "sample_share": telemetry.sample_share}


def _provider(provider: ProviderSettings, environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": provider.id,
        "base_url": without_password(provider.base_url),
        "api_key_env": provider.api_key_env or None,
        "api_key_is_set": key_is_set(provider, environment) if provider.api_key_env else None,
        "timeout_s": provider.timeout_s,
    }


def _model(model: ModelProfile, price_source: str | None) -> dict[str, Any]:
    return {
        "id": model.model_id,
        "name": model.model_name,
        "provider": model.provider or None,
        "upstream": model.upstream,
        "tier": str(model.tier),
        "context_length": model.context_length,
        "capabilities": dict(model.capabilities),
        "price_usd_per_mtok": asdict(model.price) if model.price else None,
        "price_source": price_source,
    }


def _route(route: RouteSettings) -> dict[str, Any]:
    """What is not given is left out: it would only say None."""
    given = {name: value for name, value in asdict(route).items() if value not in (None, "", ())}
    judge = {name: value for name, value in given.pop("judge", {}).items() if value not in (None, "", {})}
    return {**given, "models": list(route.models) or "all", **({"judge": judge} if judge else {})}


def _agent(agent: Agent) -> dict[str, Any]:
    return {**asdict(agent), "required": list(agent.required), "preferred": list(agent.preferred)}
