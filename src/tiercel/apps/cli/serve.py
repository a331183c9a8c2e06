"""`tiercel serve`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tiercel import bootstrap
from tiercel.apps.cli.choice import ConfigOption, found_config
from tiercel.apps.cli.program import new_program
from tiercel.apps.gateway import server
from tiercel.config import environment
from tiercel.domain.errors import InvalidInput, Problem

program = new_program()

HostOption = Annotated[str | None, typer.Option("--host", help="Where to listen (default: the file's, 127.0.0.1).")]
PortOption = Annotated[
    int | None, typer.Option("--port", "-p", min=1, max=65535, help="The port (default: the file's, 8080).")
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond this machine although anyone may call.")
]


@program.command()
def serve(
    *,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    insecure: InsecureOption = False,
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
    server.serve(path, settings.server.host, settings.server.port)
