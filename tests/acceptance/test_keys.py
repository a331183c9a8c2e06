"""A gateway with keys, in a process of its own: OpenAI's client, and what the commands show of keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from support.keyed import KEYS, WRONG
from support.servers import Gateway, config, free_port, gateway

MODELS = [("ok", "cheap"), ("ok-best", "premium")]
MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Who are you?"}]
SECTIONS = "\n".join(f'[[keys]]\nname = "{role}"\nkey_env = "{role.upper()}_KEY"\nrole = "{role}"' for role in KEYS)
ENVIRONMENT = {f"{role.upper()}_KEY": key for role, key in KEYS.items()}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("keyed"), MODELS, SECTIONS, ENVIRONMENT) as started:
        yield started


def opened(served: Gateway, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0)


def test_openais_client_with_the_key_of_a_caller(served: Gateway) -> None:
    with opened(served, KEYS["caller"]) as client:
        assert client.chat.completions.create(model="auto", messages=MESSAGES).choices[0].message.content
        stream = client.chat.completions.create(model="auto", messages=MESSAGES, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "I am ok"
        assert "auto" in {model.id for model in client.models.list()}


def test_openais_client_with_a_wrong_key_and_with_one_that_may_not(served: Gateway) -> None:
    with opened(served, WRONG) as client, pytest.raises(openai.AuthenticationError) as wrong:
        client.chat.completions.create(model="auto", messages=MESSAGES)
    assert wrong.value.code == "invalid_api_key"
    with opened(served, KEYS["viewer"]) as client, pytest.raises(openai.PermissionDeniedError) as forbidden:
        client.chat.completions.create(model="auto", messages=MESSAGES)
    assert forbidden.value.code == "forbidden"


def call(url: str, body: object = None, **headers: str) -> tuple[int, Any, str]:
    """The status, the decoded answer and the cookie of a call."""
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, given)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer), answer.headers.get("set-cookie", "").partition(";")[0]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), ""


def test_a_session_over_the_wire(served: Gateway) -> None:
    assert call(f"{served.url}/v1/stats")[0] == 401
    _, said, cookie = call(f"{served.url}/session", {"key": KEYS["caller"]})
    assert call(f"{served.url}/v1/stats", cookie=cookie)[0] == 200
    assert call(f"{served.url}/v1/decisions", {}, cookie=cookie)[0] == 403
    own = {"cookie": cookie, "x-tiercel-csrf": said["csrf"], "origin": served.url}
    assert call(f"{served.url}/v1/decisions", {}, **own)[0] == 200


def test_no_key_went_upstream_or_into_any_file(served: Gateway) -> None:
    call(f"{served.url}/v1/chat/completions", {"model": "auto", "messages": MESSAGES}, x_api_key=KEYS["caller"])
    _, seen, _ = call(f"{served.upstream_url}/seen")
    assert seen
    assert "CANARY" not in json.dumps(seen)
    kept = [path for path in served.folder.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]
    assert kept == []


def run(folder: Path, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_")}
    command = [sys.executable, "-m", "tiercel", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**given, **environment}, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiercel.toml").write_text(config("http://127.0.0.1:9", MODELS, SECTIONS))
    return tmp_path


@pytest.mark.parametrize(
    "command", ["config show", "config show --json", "config check", "config check --json", "doctor", "doctor --json"]
)
def test_no_command_shows_a_key(folder: Path, command: str) -> None:
    file = ["tiercel.toml"] if command.startswith("config") else []
    words = command.split()
    for environment in (
        ENVIRONMENT,
        {**ENVIRONMENT, "ADMIN_KEY": "CANARY"},
        {**ENVIRONMENT, "ADMIN_KEY": "CANARY \xe9" * 9},
    ):
        done = run(folder, *words[:2], *file, *words[2:], environment=environment)
        assert "ADMIN_KEY" in done.stdout or (environment is ENVIRONMENT and "check" in words)
        assert "CANARY" not in done.stdout + done.stderr


def test_every_key_that_will_not_do_is_named_at_the_start(folder: Path) -> None:
    wrong = {"VIEWER_KEY": KEYS["viewer"], "CALLER_KEY": KEYS["viewer"], "ADMIN_KEY": "CANARY"}
    done = run(folder, "serve", "--port", str(free_port()), environment=wrong)
    assert done.returncode != 0
    assert "keys[1].key_env" in done.stderr
    assert "keys[2].key_env" in done.stderr
    assert "CANARY" not in done.stdout + done.stderr


def test_without_keys_no_other_address_than_loopback(tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text(config("http://127.0.0.1:9", MODELS))
    done = run(tmp_path, "serve", "--host", "0.0.0.0", "--port", str(free_port()), environment={})  # noqa: S104
    assert done.returncode != 0
    assert "without keys the gateway listens on this machine only" in done.stderr
