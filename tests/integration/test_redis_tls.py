"""Stores behind TLS and passwords: who is not whom he should be gets nothing, and no secret is said."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from benchmarks.redis_server import RedisServer, redis_server
from typer.testing import CliRunner

from support.happenings import feedback, outcome
from support.redis_cluster import BUS, member_port
from support.servers import free_port
from support.tls import Authority, behind_tls
from support.waiting import until
from tiercel.adapters.redis_store import RedisStore
from tiercel.apps.cli.main import program
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.library.router import Router
from tiercel.ports import START

BATCH: list[Event] = [outcome(1), feedback("f1", 0.5, decision_id="dec_1", source="user:1")]
SECRET = "CANARY-1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path, "ours")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as started:
        yield started


def works(url: str) -> bool:
    """Whether a store takes events, gives them back and knows what they taught."""
    with closing(RedisStore(url)) as store:
        appended = store.append(BATCH, fold)
        found, _ = store.events_after(START, 10)
        known = store.load()[0] == fold(BATCH).climbed(0.0)
        return [*appended.accepted] == sorted(found, key=BATCH.index) == BATCH and known


def refusal(url: str) -> str:
    """What is said of a store that cannot be reached."""
    with closing(RedisStore(url)) as store, pytest.raises(StoreUnavailable) as raised:
        store.append(BATCH, fold)
    assert "CANARY" not in f"{raised.value!r} {store.url}"
    return str(raised.value)


def test_a_server_is_spoken_to_in_tls(server: RedisServer, authority: Authority) -> None:
    with behind_tls(server.port, authority) as front:
        assert works(f"rediss://127.0.0.1:{front.port}/0?ssl_ca_certs={authority.file}")
        assert front.encrypted


def test_the_systems_authorities_are_asked_where_none_is_named(
    server: RedisServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with behind_tls(server.port, authority) as front:
        assert "CERTIFICATE_VERIFY_FAILED" in refusal(f"rediss://127.0.0.1:{front.port}/0")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert works(f"rediss://127.0.0.1:{front.port}/0")


@pytest.mark.parametrize("form", ["rediss://{at}/0?", "rediss+cluster://{at}?", "rediss+sentinel://{at}/mine?"])
def test_who_cannot_show_who_he_is_gets_nothing(
    server: RedisServer, authority: Authority, tmp_path: Path, form: str
) -> None:
    stranger = Authority.new(tmp_path, "strangers")
    with behind_tls(server.port, stranger) as strange, behind_tls(server.port, authority, name="other.test") as other:
        for front in (strange, other):
            url = form.format(at=f"u:{SECRET}@127.0.0.1:{front.port}") + f"ssl_ca_certs={authority.file}"
            said = refusal(url)
            assert f"127.0.0.1:{front.port}" in said
            assert "CERTIFICATE_VERIFY_FAILED" in said
            assert not front.encrypted
    assert server.client.dbsize() == 0
    assert SECRET not in (server.folder / "redis.log").read_text()


def test_a_server_may_ask_for_a_certificate(server: RedisServer, authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.client(tmp_path)
    with behind_tls(server.port, authority, clients=authority) as front:
        url = f"rediss://127.0.0.1:{front.port}/0?ssl_ca_certs={authority.file}"
        assert refusal(url)
        assert works(f"{url}&ssl_certfile={certificate}&ssl_keyfile={key}")


def test_a_cluster_is_spoken_to_in_tls(tmp_path: Path, authority: Authority) -> None:
    home, front_port = tmp_path / "member", free_port()
    home.mkdir()
    member = RedisServer(home, port=member_port())
    announced = ("--cluster-announce-port", str(front_port), "--cluster-announce-bus-port", str(member.port + BUS))
    with closing(member), behind_tls(member.port, authority, port=front_port) as front:
        member.start("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", *announced)
        member.client.execute_command("CLUSTER ADDSLOTS", *range(1 << 14))
        until(lambda: member.client.cluster("info")["cluster_state"] == "ok")
        member.client.config_set("requirepass", SECRET)
        assert works(f"rediss+cluster://:{SECRET}@127.0.0.1:{front.port}?ssl_ca_certs={authority.file}")
        assert front.encrypted


@contextmanager
def sentinel(folder: Path, watched_port: int) -> Iterator[RedisServer]:
    """One that asks for a password of its own, of a server that asks for another."""
    folder.mkdir()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"sentinel monitor mine 127.0.0.1 {watched_port} 1\nsentinel auth-pass mine {SECRET}\nrequirepass CANARY-2\n"
    )
    started = RedisServer(folder, settings=settings)
    with closing(started):
        started.client.connection_pool.connection_kwargs["password"] = "CANARY-2"
        started.start("--sentinel")
        yield started


def test_sentinels_may_have_a_password_of_their_own_and_speak_tls(
    server: RedisServer, authority: Authority, tmp_path: Path
) -> None:
    server.client.config_set("requirepass", SECRET)
    with (
        behind_tls(server.port, authority) as front,
        sentinel(tmp_path / "sentinel", front.port) as watcher,
        behind_tls(watcher.port, authority) as hidden,
    ):
        plain = f"redis+sentinel://:{SECRET}@127.0.0.1:{watcher.port}/mine"
        secure = f"rediss+sentinel://:{SECRET}@127.0.0.1:{hidden.port}/mine"
        assert "uthentication" in refusal(plain)
        for wrong in ("", "&sentinel_password=CANARY-3", "&sentinel_username=CANARY&sentinel_password=CANARY-2"):
            said = refusal(f"{secure}?ssl_ca_certs={authority.file}{wrong}")
            assert re.search(r"uthentication|WRONGPASS|invalid (username|password)", said), said
        assert works(f"{plain}/1?sentinel_password=CANARY-2")
        assert front.encrypted == 0
        assert works(f"{secure}/2?ssl_ca_certs={authority.file}&sentinel_password=CANARY-2")
        assert min(front.encrypted, hidden.encrypted) > 0


def test_no_secret_is_said(
    server: RedisServer,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither by the program nor in its log, while the store is away for want of the right certificate."""
    (tmp_path / "tiercel.toml").write_text('[store]\nurl = "redis://store.example:6379/0"\n[server]\nport = 0\n')
    monkeypatch.chdir(tmp_path)
    with behind_tls(server.port, authority, name="other.test") as front, caplog.at_level(logging.DEBUG):
        where = f"127.0.0.1:{front.port}/mine"
        options = f"sentinel_password=CANARY-2&ssl_ca_certs={authority.file}"
        url = f"rediss+sentinel://user:{SECRET}@{where}?{options}"
        monkeypatch.setenv("TIERCEL_STORE", url)
        for command in (["doctor", "--json"], ["config", "show", "tiercel.toml"], ["stats"]):
            said = CliRunner().invoke(program, command)
            assert "CANARY" not in said.output
        shown = json.loads(CliRunner().invoke(program, ["config", "show", "tiercel.toml", "--json"]).output)
        assert "sentinel_password=***" in json.dumps(shown)
        with Router(store=url) as router:
            assert router.learner.degraded
            assert "CANARY" not in f"{router.store!r} {router.learner.status()!r}"
    assert "CANARY" not in caplog.text
