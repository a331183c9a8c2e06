"""tiercel.toml: read once, into frozen settings, or refused with all its problems at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from tiercel.config.environment import PROCESS, STORE_VARIABLE, store_url
from tiercel.config.settings import Settings
from tiercel.config.urls import store_url_problem
from tiercel.domain.errors import ConfigurationError, Problem


def load(path: str | Path, *, policies: Collection[str], environment: Mapping[str, str] = PROCESS) -> Settings:
    """The settings in a file, with what the environment overrides (TIERCEL_STORE).

    `policies` are the names a route may give. Raises `ConfigurationError` with every problem.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = Problem("", f"is not UTF-8 text (at byte {error.start})")
        raise ConfigurationError([problem], source=str(path)) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError([Problem("", f"cannot be read: {reason}")], source=str(path)) from error
    return with_environment(parse(text, str(path), policies=policies), environment)


def parse(text: str, source: str, *, policies: Collection[str]) -> Settings:
    """The settings in `text`; `source` is what errors call it. Raises `ConfigurationError` with every problem."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([Problem("", f"is not TOML: {error}")], source=source) from error
    except RecursionError as error:
        raise ConfigurationError([Problem("", "is nested too deeply")], source=source) from error
    # pydantic takes longer to import than the rest of tiercel, and only those who have a file need it
    from tiercel.config.validation import validated  # noqa: PLC0415

    return validated(raw, source, policies)


def with_environment(settings: Settings, environment: Mapping[str, str] = PROCESS) -> Settings:
    """The settings with what the environment overrides. Raises `ConfigurationError`."""
    url = store_url(environment)
    if url is None:
        return settings
    problem = store_url_problem(STORE_VARIABLE, url, secret=True)
    if problem is not None:
        raise ConfigurationError([problem])
    return replace(settings, store=replace(settings.store, url=url))
