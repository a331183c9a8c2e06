"""From the raw tables of a file to settings, or to every problem there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tiercel.config import schema
from tiercel.config.checks import Vocabulary
from tiercel.config.notify import NotifySettings
from tiercel.config.own_lists import with_own_lists
from tiercel.config.problems import dotted, expectation, shown, unknown_key
from tiercel.config.settings import (
    DashboardSettings,
    FeedbackSettings,
    KeySettings,
    ProviderSettings,
    RouteSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TelemetrySettings,
)
from tiercel.core.adaptive import AdaptiveConfig
from tiercel.core.beliefs.shift import DriftSettings
from tiercel.core.grading import JudgeSettings
from tiercel.domain.access import Role
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.catalogue import DEFAULT_TIERS, Agent, AgentStatus, ModelProfile, Price
from tiercel.domain.errors import ConfigurationError, InvalidInput, Problem

_OWN_RULES: Mapping[str, type[AdaptiveConfig | AlertThresholds | DriftSettings]] = {
    "adaptive": AdaptiveConfig,
    "alerts": AlertThresholds,
    "drift": DriftSettings,
}
"""Sections whose rules stand where the figures are used."""


def validated(raw: Mapping[str, Any], source: str, policies: Collection[str]) -> Settings:
    """The settings in the tables of a file. Raises `ConfigurationError` with every problem."""
    own, problems = _with_own_rules(raw)
    lists, of_lists = with_own_lists(raw)
    problems += of_lists
    try:
        file = schema.File.model_validate({**raw, **own, **lists}, context=_vocabulary(raw, policies))
    except ValidationError as error:
        found = [_problem(details) for details in error.errors(include_url=False)]
        raise ConfigurationError([*found, *problems], source=source) from error
    if problems:
        raise ConfigurationError(problems, source=source)
    return _settings(file)


def _vocabulary(raw: Mapping[str, Any], policies: Collection[str]) -> Vocabulary:
    """What the file defines, read before anything is checked, so that a fault in one place causes none in others."""
    tiers = raw.get("tiers", list(DEFAULT_TIERS))
    known = isinstance(tiers, list) and all(isinstance(tier, str) for tier in tiers)
    return Vocabulary(
        {
            "tier": tiers if known else None,
            "provider": _ids(raw.get("providers", [])),
            "model": _ids(raw.get("models", [])),
            "policy": policies,
            "status": tuple(AgentStatus),
            "role": tuple(Role),
        }
    )


def _ids(tables: object) -> list[str] | None:
    """The ids of an array of tables, or None where one of them cannot be read."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return None
    ids = [table.get("id") for table in tables]
    return ids if all(isinstance(an_id, str) for an_id in ids) else None


def _with_own_rules(raw: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """The sections that have their own rules, without unknown keys, and what is wrong with them."""
    sections: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name, rules in _OWN_RULES.items():
        section = raw.get(name)
        if not isinstance(section, dict):
            continue
        known = [rule.name for rule in fields(rules)]
        problems += [unknown_key((name, key), value, known) for key, value in section.items() if key not in known]
        sections[name] = {key: value for key, value in section.items() if key in known}
        try:
            rules(**sections[name])
        except InvalidInput as error:
            problems += [Problem(f"{name}.{p.path}", p.message, p.found, p.kind) for p in error.problems]
    return sections, problems


def _problem(details: ErrorDetails) -> Problem:
    """One of pydantic's findings in tiercel's words."""
    location, value, context = details["loc"], details["input"], details.get("ctx", {})
    if location and location[-1] == "[key]":
        location = location[:-1]
    if details["type"] == "extra_forbidden":
        return unknown_key(location, value, _keys_at(location[:-1]))
    worded = expectation(details["type"], context)
    kind, message = worded or (details["type"], details["msg"])
    found = "" if details["type"] == "missing" else context.get("found", shown(value))
    return Problem(dotted(location), message, found, kind)


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at `location`."""
    section: type[BaseModel] = schema.File
    for part in location:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_in(section.model_fields[part].annotation) or section
    return [str(f.alias or name) for name, f in section.model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - annotations have no common type
    """The section that a field's annotation holds: itself, in a list, or as an alternative to None."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _settings(file: schema.File) -> Settings:
    return Settings(
        store=StoreSettings(**dict(file.store)),
        server=ServerSettings(**{**dict(file.server), "public_hosts": tuple(file.server.public_hosts)}),
        keys=tuple(KeySettings(name=key.name, key_env=key.key_env, role=Role(key.role)) for key in file.keys),
        providers=tuple(ProviderSettings(**_given(provider)) for provider in file.providers),
        models=tuple(_model(model) for model in file.models),
        tiers=tuple(file.tiers),
        routes=tuple(_route(route) for route in file.routes),
        agents=tuple(_agent(agent) for agent in file.agents),
        feedback=FeedbackSettings(**{**dict(file.feedback), "trusted_sources": tuple(file.feedback.trusted_sources)}),
        adaptive=AdaptiveConfig(**file.adaptive),
        alerts=AlertThresholds(**file.alerts),
        rules=tuple(AlertRule(**rule) for rule in file.rules),
        notify=tuple(NotifySettings(**channel) for channel in file.notify),
        drift=DriftSettings(**file.drift),
        telemetry=TelemetrySettings(**dict(file.telemetry)),
        dashboard=DashboardSettings(**_given(file.dashboard)),
    )


def _given(section: schema.Section) -> dict[str, Any]:
    """The keys of a section that have a value; for the others the defaults of the settings stand."""
    return {name: value for name, value in section if value is not None}


def _model(section: schema.ModelSection) -> ModelProfile:
    price = section.price_usd_per_mtok
    return ModelProfile(
        model_id=section.id,
        model_name=section.name or "",
        capabilities=section.capabilities,
        context_length=section.context_length,
        provider=section.provider or "",
        upstream=section.upstream or "",
        tier=section.tier,
        price=Price(price.input, price.output) if price else None,
    )


def _route(section: schema.RouteSection) -> RouteSettings:
    judge = JudgeSettings(**_given(section.judge)) if section.judge else None
    lists = {name: tuple(getattr(section, name) or ()) for name in ("models", "features", "rollout_shares")}
    return RouteSettings(**{**_given(section), **lists, "judge": judge})


def _agent(section: schema.AgentSection) -> Agent:
    return Agent(**{("agent_name" if name == "name" else name): value for name, value in _given(section).items()})
