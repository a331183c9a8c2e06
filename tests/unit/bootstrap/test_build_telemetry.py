"""Telemetry is what [telemetry] and the variables ask for, and nothing is loaded where they ask for nothing."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tiercel.adapters.otel import OtelTelemetry
from tiercel.bootstrap import build_telemetry
from tiercel.config.settings import ProviderSettings, Settings, TelemetrySettings
from tiercel.domain.errors import ConfigurationError, MissingDependency

AWAY = "http://127.0.0.1:9"
WANTED = Settings(
    telemetry=TelemetrySettings(endpoint=AWAY, sample_share=0.5),
    providers=(
        ProviderSettings(id="plain", base_url="http://models.example/v1"),
        ProviderSettings(id="secure", base_url="https://models.example/v1"),
        ProviderSettings(id="local", base_url="http://[::1]:8000/v1"),
    ),
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_asked_for_is_nothing_and_loads_nothing() -> None:
    assert build_telemetry(Settings()) is None
    program = (
        "import sys, tiercel.apps.gateway.server, tiercel.bootstrap as b; from tiercel.config.settings import Settings;"
        "assert b.build_telemetry(Settings()) is None;"
        "print([name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'requests', 'google')])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_endpoint_or_a_variable_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    told = build_telemetry(WANTED)
    assert isinstance(told, OtelTelemetry)
    assert told._servers == {"plain": ("models.example", 80), "secure": ("models.example", 443), "local": ("::1", 8000)}
    told.close()
    told.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", AWAY)
    by_variable = build_telemetry(Settings())
    assert by_variable is not None
    by_variable.close()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    assert build_telemetry(Settings()) is None
    assert build_telemetry(WANTED) is None


def test_a_header_whose_variable_is_not_set_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLLECTOR_TOKEN", raising=False)
    wanted = Settings(telemetry=TelemetrySettings(endpoint=AWAY, headers_env={"x-token": "COLLECTOR_TOKEN"}))
    with pytest.raises(ConfigurationError, match=r"telemetry\.headers_env\.x-token"):
        build_telemetry(wanted)


def test_without_the_extra_the_file_is_refused_and_a_variable_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "tiercel.adapters.otel_http", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http._log_exporter", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[otel\]'"):
        build_telemetry(WANTED)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", AWAY)
    with caplog.at_level(logging.WARNING):
        assert build_telemetry(Settings()) is None
    assert "tiercel[otel]" in caplog.text
