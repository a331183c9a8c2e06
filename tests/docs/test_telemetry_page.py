"""docs/telemetry.md: its sections are ones that tiercel reads, and every name in it is one that is sent."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from tiercel.adapters import otel
from tiercel.apps.gateway import logs
from tiercel.bootstrap import POLICIES
from tiercel.config.file import load

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
SOURCE = inspect.getsource(otel)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_sections_are_read(tmp_path: Path) -> None:
    file = tmp_path / "tiercel.toml"
    file.write_text("".join(blocks("toml")))
    settings = load(file, policies=POLICIES)
    assert settings.server.log_format == "json"
    assert (settings.telemetry.endpoint, settings.telemetry.sample_share) == ("http://127.0.0.1:4318", 0.1)
    assert settings.telemetry.headers_env == {"x-api-key": "COLLECTOR_TOKEN"}


def test_every_name_is_sent_and_every_name_that_is_sent_is_documented() -> None:
    names = r"(?:gen_ai|tiercel|server|error)\.[a-z_.]+[a-z]"
    documented = set(re.findall(rf"`({names})`", PAGE)) - {"tiercel.toml"}
    sent = set(re.findall(rf'"({names})"', SOURCE))
    sent = (sent - {"tiercel.telemetry"}) | {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}
    assert documented == sent


def test_the_record_shown_is_one(tmp_path: Path) -> None:
    (line,) = blocks("json")
    assert set(json.loads(line)) == {"time", "level", "logger", "message", "request_id"}
    assert f'"{logs.TEXT}"' in PAGE


def test_the_figures_are_those_of_the_code() -> None:
    assert f"{otel.REMEMBERED:,} calls" in PAGE
