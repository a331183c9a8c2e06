"""Which configuration and which store a command works on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.apps.cli.output import note
from tiercel.config.environment import config_path
from tiercel.config.file import load, with_environment
from tiercel.config.settings import Settings
from tiercel.config.urls import store_file, store_url_problem, without_password
from tiercel.domain.errors import InvalidInput, Problem

DEFAULT_CONFIG = Path("tiercel.toml")
FORGETFUL = "memory://"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The configuration. Default: TIERCEL_CONFIG, else tiercel.toml if it is here."
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="The store. Default: TIERCEL_STORE, else that of the configuration."),
]


def found_config(given: Path | None) -> Path | None:
    """The configuration file: the given one, the one the environment names, the one here, or None."""
    return given or config_path() or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)


def chosen_settings(config: Path | None, store: str | None) -> Settings:
    """The settings of the configuration there is, else the defaults, with `store` for the store if it is given.

    Raises `ConfigurationError`, or `InvalidInput` for `store`.
    """
    path = found_config(config)
    settings = load(path, policies=bootstrap.POLICIES) if path else with_environment(Settings())
    if store is None:
        return settings
    problem = store_url_problem("--store", store)
    if problem is not None:
        raise InvalidInput([problem])
    return replace(settings, store=replace(settings.store, url=store))


def store_to_read(url: str) -> str:
    """`url`, or an empty store where there is nothing to read yet: reading must not make a store."""
    file = store_file(url)
    if url == FORGETFUL:
        note(f"{FORGETFUL} is the memory of one process: there is nothing to read; name another with --store")
    elif file is not None and not file.exists():
        note(f"there is no store at {without_password(url)} yet, so there is nothing to read; is --store right?")
        return FORGETFUL
    return url


def store_to_write(url: str) -> str:
    """`url`; raises `InvalidInput` for one that would forget what is written when the command ends."""
    if url == FORGETFUL:
        message = "must be a store that outlives this command, like sqlite:///tiercel.db"
        raise InvalidInput([Problem("--store", message, repr(url))])
    return url


def store_that_lasts(name: str, url: str) -> str:
    """`url`; raises `InvalidInput`, about `name`, where no store is or none outlives its process."""
    if url == FORGETFUL:
        raise InvalidInput([Problem(name, f"must outlive a process; {FORGETFUL} has nothing to read", repr(url))])
    file = store_file(url)
    if file is not None and not file.is_file():
        raise InvalidInput([Problem(name, "there is no store", without_password(url))])
    return url
