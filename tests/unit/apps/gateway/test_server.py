from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.in_process import gateway_settings
from support.keyed import KEY_SETTINGS, KEYS
from support.servers import config, free_port
from tiercel.apps.gateway import server
from tiercel.config.settings import ServerSettings
from tiercel.domain.errors import ConfigurationError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104
def test_beyond_this_machine_without_keys_is_refused_before_anything_listens(host: str) -> None:
    settings = gateway_settings(server=ServerSettings(host=host, port=free_port()))
    with pytest.raises(ConfigurationError) as caught:
        server.check(settings)
    problem = caught.value.problems[0]
    assert problem.path == "server.host"
    assert "without keys" in problem.message
    assert "[[keys]]" in problem.message


def test_with_keys_or_told_so_it_listens_anywhere() -> None:
    settings = gateway_settings(server=ServerSettings(host="0.0.0.0", port=free_port()))  # noqa: S104
    server.check(replace(settings, keys=KEY_SETTINGS))
    server.check(settings, insecure=True)
    server.check(replace(settings, server=replace(settings.server, host="127.0.0.1")))


def test_a_worker_without_its_keys_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiercel.toml"
    key = '[[keys]]\nname = "ops"\nkey_env = "OPS_KEY"\nrole = "admin"'
    path.write_text(config("http://127.0.0.1:9", [("m", "cheap")], key).replace("sqlite:///tiercel.db", "memory://"))
    monkeypatch.setenv("TIERCEL_CONFIG", str(path))
    monkeypatch.setattr(server, "collect_in_small_steps", lambda: None)
    monkeypatch.delenv("OPS_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="OPS_KEY is not set"):
        server.create()
    monkeypatch.setenv("OPS_KEY", KEYS["admin"])
    monkeypatch.setenv("TIERCEL_ADDRESS", "[::1]:8099")
    served = server.create().state.settings.server
    assert (served.host, served.port) == ("::1", 8099), "where the command listens, not what the file says"
