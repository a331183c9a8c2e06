"""`tiercel serve`."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.apps.cli.choice import ConfigOption, found_config
from tiercel.apps.cli.program import new_program
from tiercel.apps.gateway import server
from tiercel.apps.gateway.logs import JSON, TEXT
from tiercel.config import environment
from tiercel.domain.errors import InvalidInput, Problem

program = new_program()


class LogFormat(StrEnum):
    """How to log."""

    TEXT = TEXT
    JSON = JSON


HostOption = Annotated[str | None, typer.Option("--host", help="Where to listen (default: the file's, 127.0.0.1).")]
PortOption = Annotated[
    int | None, typer.Option("--port", "-p", min=1, max=65535, help="The port (default: the file's, 8080).")
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond this machine although anyone may call.")
]


LogFormatOption = Annotated[
    LogFormat | None, typer.Option("--log-format", help="How to log: text or json, a line each (default: the file's).")
]


@program.command()
def serve(
    *,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    insecure: InsecureOption = False,
    log_format: LogFormatOption = None,
) -> None:
    """Serve the OpenAI-compatible gateway until Ctrl-C."""
    path = found_config(config)
    if path is None:
        raise InvalidInput(
            [Problem("--config", "there is no tiercel.toml here; name a configuration file", "", "missing")]
        )
    settings = bootstrap.load_settings(path)
    here = settings.server
    settings = replace(settings, server=replace(here, host=host or here.host, port=port or here.port))
    environment.check_keys(settings)
    server.check(settings, insecure=insecure)
    server.serve(path, settings.server.host, settings.server.port, log_format=log_format or here.log_format)
