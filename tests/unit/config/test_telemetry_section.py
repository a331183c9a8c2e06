"""[telemetry] and how the gateway logs, in a file: what may stand there, and what is shown of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiercel.bootstrap import POLICIES
from tiercel.config.description import describe
from tiercel.config.file import load
from tiercel.domain.errors import ConfigurationError


def file(folder: Path, text: str) -> Path:
    path = folder / "tiercel.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('endpoint = "collector:4318"', "telemetry.endpoint"),
        ('endpoint = "http://user:secret@h:4318"', "telemetry.endpoint"),
        ("sample_share = 1.5", "telemetry.sample_share"),
        ('headers_env = { "x token" = "TOKEN" }', 'telemetry.headers_env."x token"'),
        ('headers_env = { x-token = "Bearer abc" }', "telemetry.headers_env.x-token"),
        ('api_key = "abc"', "telemetry.api_key"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(tmp_path: Path, line: str, path: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(file(tmp_path, f"[telemetry]\n{line}\n"), policies=POLICIES)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert "secret" not in str(refused.value).replace("a secret must", "")
    assert "abc" not in str(refused.value)


def test_the_format_of_logs_is_text_or_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.log_format"):
        load(file(tmp_path, '[server]\nlog_format = "xml"\n'), policies=POLICIES)


def test_what_is_shown_holds_no_secret(tmp_path: Path) -> None:
    text = '[telemetry]\nendpoint = "http://127.0.0.1:4318/"\nheaders_env = { x-token = "TOKEN" }\n'
    shown = describe(load(file(tmp_path, text), policies=POLICIES), environment={"TOKEN": "canary"})
    assert shown["telemetry"] == {
        "endpoint": "http://127.0.0.1:4318",
        "headers_env": {"x-token": {"env": "TOKEN", "is_set": True}},
        "sample_share": None,
    }
    assert "canary" not in json.dumps(shown)
