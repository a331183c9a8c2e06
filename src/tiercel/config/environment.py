"""What tiercel reads from environment variables: the one place that does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tiercel.config.settings import KeySettings, ProviderSettings, Settings
from tiercel.domain.errors import ConfigurationError, Problem

STORE_VARIABLE = "TIERCEL_STORE"
PROCESS: Mapping[str, str] = os.environ
"""The environment of this process, as it is at the time of reading."""
CONFIG_VARIABLE = "TIERCEL_CONFIG"


def store_url(environment: Mapping[str, str] = PROCESS) -> str | None:
    """The store's URL in TIERCEL_STORE, or None where it is not set or empty."""
    return environment.get(STORE_VARIABLE, "").strip() or None


def config_path(environment: Mapping[str, str] = PROCESS) -> Path | None:
    """The configuration file in TIERCEL_CONFIG, or None where it is not set or empty."""
    path = environment.get(CONFIG_VARIABLE, "").strip()
    return Path(path) if path else None


_COLLECTOR_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MIN_KEY_LENGTH = 16
"""Characters of a key for the gateway: fewer could be guessed."""


def key_is_set(provider: ProviderSettings, environment: Mapping[str, str] = PROCESS) -> bool:
    """Whether the variable that a provider's key is in holds one."""
    return bool(environment.get(provider.api_key_env, "").strip())


def is_set(variable: str, environment: Mapping[str, str] = PROCESS) -> bool:
    """Whether a variable holds anything."""
    return bool(environment.get(variable, "").strip())


def telemetry_from_environment(environment: Mapping[str, str] = PROCESS) -> bool:
    """Whether the OTEL_* variables name a collector, and do not say that telemetry is off."""
    return not telemetry_is_off(environment) and any(is_set(name, environment) for name in _COLLECTOR_VARIABLES)


def telemetry_is_off(environment: Mapping[str, str] = PROCESS) -> bool:
    """Whether OTEL_SDK_DISABLED says so, whatever the file says."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def telemetry_headers(settings: Settings, environment: Mapping[str, str] = PROCESS) -> dict[str, str]:
    """The headers for the collector. Never log or show them.

    Raises `ConfigurationError` naming every variable that is not set.
    """
    wanted = settings.telemetry.headers_env
    problems = [
        Problem(f"telemetry.headers_env.{name}", f"the environment variable {variable} is not set")
        for name, variable in wanted.items()
        if not is_set(variable, environment)
    ]
    if problems:
        raise ConfigurationError(problems)
    return {name: environment[variable].strip() for name, variable in wanted.items()}


def provider_keys(settings: Settings, environment: Mapping[str, str] = PROCESS) -> dict[str, str]:
    """Each provider's API key by provider id ("" where the provider names no variable). Never log or show them.

    Raises `ConfigurationError` naming every variable that is not set.
    """
    problems = [
        Problem(f"providers[{i}].api_key_env", f"the environment variable {provider.api_key_env} is not set")
        for i, provider in enumerate(settings.providers)
        if provider.api_key_env and not key_is_set(provider, environment)
    ]
    if problems:
        raise ConfigurationError(problems)
    return {
        provider.id: environment.get(provider.api_key_env, "").strip() if provider.api_key_env else ""
        for provider in settings.providers
    }


def access_keys(settings: Settings, environment: Mapping[str, str] = PROCESS) -> dict[str, str]:
    """The keys for the gateway by the names they have in the file. Never log or show them.

    Raises `ConfigurationError` with what is wrong with every one: not set, too short, not fit for a header, the same as
    another.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for i, key in enumerate(settings.keys):
        secret = environment.get(key.key_env, "").strip()
        wrong = access_key_problem(key, environment)
        if not wrong and secret in found.values():
            wrong = f"the environment variable {key.key_env} holds the same key as another: who calls could not be told"
        if wrong:
            problems.append(Problem(f"keys[{i}].key_env", wrong))
        else:
            found[key.name] = secret
    if problems:
        raise ConfigurationError(problems)
    return found


def check_keys(settings: Settings, environment: Mapping[str, str] = PROCESS) -> None:
    """Raise `ConfigurationError` with what is wrong with every variable: of keys, of headers, of channels."""
    problems: list[Problem] = []
    for read in (provider_keys, access_keys, telemetry_headers, notify_values):
        try:
            read(settings, environment)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)


def access_key_problem(key: KeySettings, environment: Mapping[str, str] = PROCESS) -> str:
    """What is wrong with what a key's variable holds, or ""."""
    secret = environment.get(key.key_env, "").strip()
    variable = f"the environment variable {key.key_env}"
    if not secret:
        return f"{variable} is not set"
    if len(secret) < MIN_KEY_LENGTH:
        return f"{variable} holds {len(secret)} characters; a key has at least {MIN_KEY_LENGTH}"
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        return f"{variable} holds what no header can carry: a key is printable ASCII without blanks"
    return ""


def notify_values(settings: Settings, environment: Mapping[str, str] = PROCESS) -> dict[str, dict[str, str]]:
    """What each channel's variables hold, by the channel's name and the key that names the variable. Never show them.

    Raises `ConfigurationError` naming every variable that is not set.
    """
    problems = [
        Problem(path, f"the environment variable {name} is not set") for path, name in unset(settings, environment)
    ]
    if problems:
        raise ConfigurationError(problems)
    return {
        channel.name: {key: environment[variable].strip() for key, variable in channel.variables.items()}
        for channel in settings.notify
    }


def unset(settings: Settings, environment: Mapping[str, str] = PROCESS) -> list[tuple[str, str]]:
    """The variables that channels name and that hold nothing, each after where it is named."""
    return [
        (f"notify[{i}].{key}", variable)
        for i, channel in enumerate(settings.notify)
        for key, variable in channel.variables.items()
        if not environment.get(variable, "").strip()
    ]
