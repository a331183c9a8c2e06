from __future__ import annotations

import json
import shutil
import socket
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from support.happenings import outcome
from tiercel.adapters.sqlite_store import SqliteOutbox
from tiercel.apps.cli.checkup import FAIL, OK, WARN, packages
from tiercel.apps.cli.main import program

SOUND = """
[store]
url = "sqlite:///kept.db"
[server]
port = 0
[[providers]]
id = "p"
base_url = "https://p.example/v1"
api_key_env = "P_KEY"
[[providers]]
id = "q"
base_url = "https://q.example/v1"
[[models]]
id = "m"
provider = "p"
price_usd_per_mtok = { input = 1, output = 2 }
"""


class Disk(NamedTuple):
    free: int


def doctor(*args: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(program, ["doctor", "--json", *args])
    return result.exit_code, {check["check"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiercel.toml").write_text(SOUND)
    monkeypatch.setenv("P_KEY", "sk-CANARY")


@pytest.mark.usefixtures("sound")
def test_nothing_fails_where_all_is_well() -> None:
    code, checks = doctor()
    assert code == 0
    assert {check["status"] for check in checks.values()} == {OK}
    assert "CANARY" not in json.dumps(checks)
    assert not Path("kept.db").exists()


@pytest.mark.usefixtures("sound")
def test_a_store_that_is_there_is_read_and_written() -> None:
    assert CliRunner().invoke(program, ["feedback", "w", "s", "cheap", "0.5"]).exit_code == 0
    assert doctor()[1]["store"]["found"].endswith("can be read and written")


@pytest.mark.usefixtures("sound")
def test_a_store_that_was_put_aside_is_not_forgotten() -> None:
    Path("kept.db").write_bytes(b"this was never a database" * 400)
    store = doctor()[1]["store"]
    assert store["status"] == WARN
    assert "kept.db.corrupt-" in store["found"]


@pytest.mark.usefixtures("sound")
def test_failures_say_what_to_do_and_exit_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("P_KEY")
    result = CliRunner().invoke(program, ["doctor"])
    assert result.exit_code == 1
    assert "export P_KEY=..." in result.stdout
    assert result.stderr.endswith("checks failed\n")
    _, checks = doctor()
    assert checks["key of p"]["status"] == FAIL
    assert checks["key of q"]["status"] == OK


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize(
    ("url", "status"),
    [("memory://", WARN), ("sqlite:////no/such/directory/a.db", FAIL), ("nowhere", FAIL), ("sqlite:///new.db", OK)],
)
def test_stores(url: str, status: str) -> None:
    code, checks = doctor("--store", url)
    assert checks["store"]["status"] == status
    assert code == (status == FAIL)


@pytest.mark.usefixtures("sound")
def test_a_channel_that_would_keep_the_gateway_from_starting_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("tiercel.toml").open("a") as file:
        file.write("[[notify]]\nname = 'hook'\nwebhook_env = 'HOOK'\nsecret_env = 'HOOK_SECRET'\n")
    found = {}
    for secret in ("", "short-CANARY", "long-enough-CANARY-to-be-a-key"):
        monkeypatch.setenv("HOOK", "https://hooks.example/CANARY")
        monkeypatch.setenv("HOOK_SECRET", secret)
        code, checks = doctor()
        assert "CANARY" not in json.dumps(checks)
        channel = checks["channel hook"]
        found[channel["found"]] = (code, channel["status"], channel["remedy"])
    assert found == {
        "the environment variable HOOK_SECRET is not set": (1, FAIL, "export HOOK=... HOOK_SECRET=..."),
        "its variable, or that of secret_env, holds 12 bytes; a key has at least 24": (
            1,
            FAIL,
            "export HOOK=... HOOK_SECRET=...",
        ),
        "HOOK, HOOK_SECRET can be read": (0, OK, ""),
    }


def test_without_a_configuration_the_defaults_are_checked() -> None:
    code, checks = doctor()
    assert code == 0
    assert checks["configuration"]["status"] == WARN
    assert checks["store"]["status"] == OK


def test_a_broken_configuration_points_to_config_check() -> None:
    Path("tiercel.toml").write_text("a = 1\nb = 2")
    code, checks = doctor()
    assert code == 1
    assert checks["configuration"]["found"] == "2 problems in tiercel.toml"
    assert checks["configuration"]["remedy"] == "tiercel config check tiercel.toml"


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        Path("tiercel.toml").write_text(f"[server]\nport = {held.getsockname()[1]}")
        assert doctor()[1]["port"]["status"] == WARN


@pytest.mark.parametrize(("free", "status"), [(10**12, OK), (5 * 10**8, WARN), (10**6, FAIL)])
def test_disk_space(free: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free))
    assert doctor()[1]["disk"]["status"] == status


def test_packages_are_held_against_what_the_metadata_requires(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"present": "2.1.0", "old": "1.9"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    required = [
        "present>=2.1",
        "old>=1.10",
        "absent",
        'elsewhere>=1; sys_platform == "plan9"',
        'optional>=1; extra == "more"',
        'old>=2; extra == "most"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda _: required)
    monkeypatch.setattr(metadata, "version", version)
    found = {finding.check: finding for finding in packages()}
    assert {check: finding.status for check, finding in found.items()} == {
        "package old": FAIL,
        "package absent": FAIL,
        "extra more": OK,
        "extra most": WARN,
        "packages": OK,
    }
    assert found["package old"].found == "1.9 is older than 1.10"
    assert found["packages"].found == "2 as required"
    assert "tiercel[more]" in found["extra more"].remedy


@pytest.mark.usefixtures("sound")
def test_what_waits_for_a_store_is_said() -> None:
    Path("tiercel.toml").write_text(SOUND.replace("[server]", 'outbox = "kept/outbox.db"\n[server]'))
    assert doctor()[1]["outbox"]["status"] == FAIL
    Path("kept").mkdir()
    assert doctor()[1]["outbox"]["status"] == OK
    with closing(SqliteOutbox("kept/outbox.db")) as outbox:
        outbox.add([outcome(1), outcome(2)])
        found = doctor()[1]["outbox"]
    assert (found["status"], "2 of 500000 events wait" in found["found"]) == (WARN, True)
    Path("kept/outbox.db").write_bytes(b"garbage" * 1000)
    assert doctor()[1]["outbox"]["status"] == WARN


@pytest.mark.usefixtures("sound")
def test_what_waits_for_a_store_at_another_address_is_said() -> None:
    Path("tiercel.toml").write_text(SOUND.replace("sqlite:///kept.db", "redis://127.0.0.1:1/0"))
    with closing(SqliteOutbox("tiercel-outbox-0123abcd.db")) as outbox:
        outbox.add([outcome(1)])
        found = doctor()[1]
    assert (found["outbox"]["status"], found["outbox tiercel-outbox-0123abcd.db"]["status"]) == (OK, WARN)
