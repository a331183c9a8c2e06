"""What tiercel reads from environment variables: the one place that does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tiercel.config.settings import ProviderSettings, Settings
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


def key_is_set(provider: ProviderSettings, environment: Mapping[str, str] = PROCESS) -> bool:
    """Whether the variable that a provider's key is in holds one."""
    return bool(environment.get(provider.api_key_env, "").strip())


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
