"""What is allowed in a configuration and probably not meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tiercel.config.environment import PROCESS, access_key_problem, key_is_set, unset
from tiercel.config.problems import did_you_mean
from tiercel.config.settings import RouteSettings, Settings
from tiercel.config.urls import is_loopback
from tiercel.domain.catalogue import CAPABILITIES
from tiercel.domain.errors import Problem

_LEARNING = ("contextual", "segment", "thompson", "knn")
_READING = ("contextual", "thompson", "knn")
_USED_BY: Mapping[str, Collection[str]] = {
    "model": ("fixed",),
    "start_tier": ("tier-rules",),
    "probe_share": ("tier-rules", "adaptive-score"),
    "target_quality": _LEARNING,
    "budget_usd_per_request": _LEARNING,
    "quality_weight": _LEARNING,
    "cost_weight": _LEARNING,
    "latency_weight": _LEARNING,
    "features": _READING,
    "embedding": _READING,
}
"""A route's settings that not every policy uses, and which do."""


def advice(settings: Settings, *, environment: Mapping[str, str] = PROCESS) -> list[Problem]:
    """What to look at again; nothing of it keeps tiercel from running."""
    return [
        *_about_access(settings, environment),
        *_about_alerts(settings, environment),
        *_about_models(settings),
        *_about_providers(settings, environment),
        *_about_routes(settings),
        *_about_agents(settings),
    ]


def _note(path: str, message: str, found: str = "") -> Problem:
    return Problem(path, message, found, "advice")


def _about_access(settings: Settings, environment: Mapping[str, str]) -> Iterator[Problem]:
    for i, key in enumerate(settings.keys):
        if wrong := access_key_problem(key, environment):
            yield _note(f"keys[{i}].key_env", f"{wrong}: the gateway will not start")
    if not settings.keys and not is_loopback(settings.server.host):
        message = "beyond this machine the gateway asks for [[keys]]"
        yield _note("server.host", message, repr(settings.server.host))


def _about_alerts(settings: Settings, environment: Mapping[str, str]) -> Iterator[Problem]:
    for path, variable in unset(settings, environment):
        yield _note(path, f"the environment variable {variable} is not set: the gateway will not start")
    models = [model.model_id for model in settings.models]
    for i, rule in enumerate(settings.rules):
        if rule.model and not any(fnmatchcase(model, rule.model) for model in models):
            yield _note(f"rules[{i}].model", "matches no model of this file", repr(rule.model))
        if rule.tier and rule.tier not in {model.tier for model in settings.models}:
            yield _note(f"rules[{i}].tier", "is the tier of no model of this file", repr(rule.tier))
    named = [rule.name for rule in settings.rules]
    for i, channel in enumerate(settings.notify):
        for glob in channel.rules:
            if not any(fnmatchcase(name, glob) for name in named):
                yield _note(f"notify[{i}].rules", "names no rule of this file", repr(glob))


def _about_models(settings: Settings) -> Iterator[Problem]:
    if not settings.models:
        yield _note("models", "there is none, so nothing can be decided")
    for i, model in enumerate(settings.models):
        if not model.provider:
            yield _note(f"models[{i}].provider", "not given: tiercel can choose this model but not call it")
        if model.price is None:
            message = "not given and not in the price list: the cost of this model stays unknown"
            yield _note(f"models[{i}].price_usd_per_mtok", message)


def _about_providers(settings: Settings, environment: Mapping[str, str]) -> Iterator[Problem]:
    used = {model.provider for model in settings.models}
    for i, provider in enumerate(settings.providers):
        if provider.id not in used:
            yield _note(f"providers[{i}]", "no model is of this provider", repr(provider.id))
        if provider.api_key_env and not key_is_set(provider, environment):
            message = f"the environment variable {provider.api_key_env} is not set here"
            yield _note(f"providers[{i}].api_key_env", message)
        if provider.api_key_env and provider.base_url.startswith("http:") and not _is_local(provider.base_url):
            yield _note(f"providers[{i}].base_url", "sends the key unencrypted: use https", repr(provider.base_url))


def _about_routes(settings: Settings) -> Iterator[Problem]:
    for i, route in enumerate(settings.routes):
        path = f"routes[{i}]"
        yield from _unused(path, route)
        if route.policy == "fixed" and route.models and route.model and route.model not in route.models:
            yield _note(f"{path}.model", "is not among the route's models, so it is never chosen", repr(route.model))
        if route.incumbent and route.max_quality_loss is None:
            yield _note(f"{path}.incumbent", "does nothing without max_quality_loss", repr(route.incumbent))
        if route.incumbent and route.models and route.incumbent not in route.models:
            said = "is not among the route's models, so the dearest of them is held against"
            yield _note(f"{path}.incumbent", said, repr(route.incumbent))
        earlier = next((j for j, other in enumerate(settings.routes[:i]) if _covers(other.match, route.match)), None)
        if earlier is not None:
            message = f"never decides: routes[{earlier}] stands before it and matches all of it"
            yield _note(f"{path}.match", message, repr(route.match))


def _unused(path: str, route: RouteSettings) -> Iterator[Problem]:
    for name, policies in _USED_BY.items():
        value = getattr(route, name)
        if value not in (None, "", ()) and route.policy not in policies:
            yield _note(f"{path}.{name}", f"is not used by the policy {route.policy!r}", repr(value))


def _covers(glob: str, other: str) -> bool:
    """Whether `glob` surely matches whatever `other` does. Only plain stars are looked into; the rest is unsure."""
    if set(glob) & set("?[]") or "[" in other:
        return glob == other
    return fnmatchcase(other, glob)


def _about_agents(settings: Settings) -> Iterator[Problem]:
    declared = {name for model in settings.models for name, strength in model.capabilities.items() if strength > 0}
    for i, agent in enumerate(settings.agents):
        for kind, names in (("required", agent.required), ("preferred", agent.preferred)):
            for j, name in enumerate(names):
                if name not in declared:
                    hint = did_you_mean(name, (declared | set(CAPABILITIES)) - {name})
                    yield _note(f"agents[{i}].{kind}[{j}]", f"no model has this capability{hint}", repr(name))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return is_loopback(host) or host.endswith(".localhost")
