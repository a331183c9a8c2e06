"""Who is told of calls and ratings, from a configuration."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from tiercel.config.environment import telemetry_from_environment, telemetry_headers, telemetry_is_off
from tiercel.config.settings import Settings
from tiercel.domain.errors import MissingDependency
from tiercel.ports import Telemetry

log = logging.getLogger("tiercel.telemetry")

_PORTS = {"http": 80, "https": 443}


def build_telemetry(settings: Settings) -> Telemetry | None:
    """What [telemetry] or the OTEL_* variables ask for; None where they ask for nothing, and then nothing is loaded.

    Raises `ConfigurationError` for a header's variable that is not set, `MissingDependency` where the extra is not
    installed; where only the environment asks for it, which may be meant for others, a warning is all.
    """
    wanted = settings.telemetry.endpoint
    if telemetry_is_off() or not (wanted or telemetry_from_environment()):
        return None
    headers = telemetry_headers(settings)
    try:
        # an extra that takes longer to import than tiercel: only those who want telemetry need it
        from tiercel.adapters.otel_http import telemetry_over_http  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        missing = MissingDependency("opentelemetry", "otel", "telemetry")
        if wanted:
            raise missing from error
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set, but %s", missing)
        return None
    servers = {}
    for provider in settings.providers:
        url = urlsplit(provider.base_url)
        servers[provider.id] = (url.hostname or "", url.port or _PORTS.get(url.scheme, 0))
    return telemetry_over_http(
        endpoint=wanted, headers=headers, sample_share=settings.telemetry.sample_share, servers=servers
    )
