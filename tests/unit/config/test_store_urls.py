"""What may stand for a store, and what is said of the rest."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tiercel import bootstrap
from tiercel.config.settings import Settings, StoreSettings
from tiercel.config.urls import outbox_file, store_url_problem, without_password
from tiercel.core.server_address import on_servers, server_address
from tiercel.domain.errors import InvalidInput, MissingDependency, StoreError


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "sqlite:///a.db",
        "sqlite:////var/a.db",
        "redis://h",
        "redis://h:6379",
        "redis://h:6379/",
        "rediss://h.example:6380/3",
        "redis://[::1]:6379/0?name=b",
        "redis+sentinel://h1,h2:26380/mymaster",
        "rediss+sentinel://h1:26379,[::1]/my%20master/3?name=b",
        "redis+cluster://h",
        "rediss+cluster://h1:6379,h2:6380,[::1]:6381/?name=b&partitions=64",
        "rediss://h/0?ssl_ca_certs=/etc/ca.pem&ssl_certfile=me.pem&ssl_keyfile=me.key",
        "rediss+sentinel://h/m?ssl_ca_certs=ca%20of%20ours.pem",
        "rediss+cluster://h?ssl_certfile=both.pem",
    ],
)
def test_what_a_store_may_be(url: str) -> None:
    assert store_url_problem("store.url", url) is None
    assert on_servers(url) == url.startswith("redis")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://", "must be an address"),
        ("redis:///0", "must be an address"),
        ("redis://h:port/0", "must be an address"),
        ("redis://h:99999/0", "must be an address"),
        ("redis://[h/0", "must be an address"),
        ("redis://h/zero", "number of a database"),
        ("redis://h/0/1", "number of a database"),
        ("redis://h/0#a", "must be an address"),
        ("redis://h1,h2/0", "must be an address"),
        ("redis://h/0?name=", "which of several stores"),
        ("redis://h/0?name=a&name=b", "which of several stores"),
        ("redis://h/0?password=CANARY", "which of several stores"),
        ("redis://h/0?partitions=2", "which of several stores"),
        ("redis://h/0?name", "which of several stores"),
        ("redis+cluster://", "must be an address like redis+cluster://host:6379,host:6379"),
        ("redis+cluster://h1,,h2", "must be an address like redis+cluster://"),
        ("redis+cluster://h1,h2:0", "must be an address like redis+cluster://"),
        ("redis+cluster://h/0", "a Cluster has no databases"),
        ("redis+cluster://h?partitions=0", "?partitions=... (1..256)"),
        ("redis+cluster://h?partitions=257", "?partitions=... (1..256)"),
        ("redis+cluster://h?partitions=x", "?partitions=... (1..256)"),
        ("redis+sentinel://h:26379", "name that Sentinels know the master by"),
        ("redis+sentinel://h:26379/m/x", "number of a database"),
        ("redis+other://h", "must be one of memory://"),
        ("redis", "must be one of memory://"),
        ("redis://:CANARY@h/0", "environment variable TIERCEL_STORE"),
        ("redis+cluster://:CANARY@h1,h2", "environment variable TIERCEL_STORE"),
        ("redis+sentinel://h/m?sentinel_password=CANARY", "environment variable TIERCEL_STORE"),
        ("redis://h/0?ssl_ca_certs=ca.pem", "which of several stores"),
        ("rediss://h/0?ssl_ca_certs=", "?ssl_ca_certs=... (a PEM file)"),
        ("rediss://h/0?ssl_cert_reqs=none", "?ssl_ca_certs=... (a PEM file)"),
        ("rediss://h/0?ssl_keyfile=me.key", "a key with its certificate"),
    ],
)
def test_what_a_store_may_not_be(url: str, said: str) -> None:
    problem = store_url_problem("store.url", url)
    assert problem is not None
    assert said in problem.message
    assert "CANARY" not in str(problem)


def test_only_a_secret_address_holds_a_password_and_only_that_of_a_server() -> None:
    assert store_url_problem("TIERCEL_STORE", "redis://user:CANARY@h:6379/0", secret=True) is None
    for url in ("redis+cluster://u:CANARY@h1,h2:6379", "rediss+sentinel://:CANARY@h1,h2/m"):
        assert store_url_problem("TIERCEL_STORE", url, secret=True) is None
    for url in (
        *("sqlite://u:CANARY@h/x", "redis://u:CANARY@h/zero", "redis+cluster://u:CANARY@h1,h2:x"),
        *("redis+sentinel://u:CANARY@h1", "redis+cluster://u:CANARY@\u2100/x"),
        *("redis://h/0?sentinel_password=CANARY", "redis+sentinel://h/m?sentinel_password=x&CANARY"),
        *("redis+sentinel://h/m?sentinel_password=x#CANARY", "redis+sentinel://h/m?sentinel_pass=CANARY"),
        *("redis://:x/CANARY@h/0", "redis://:x#CANARY@h/0", "redis://:x?CANARY@h/0", "redis:u:CANARY@h"),
    ):
        problem = store_url_problem("TIERCEL_STORE", url, secret=True)
        assert problem is not None
        assert "CANARY" not in str(problem)
        with pytest.raises(InvalidInput):
            bootstrap.open_store(url)


@pytest.mark.parametrize(
    "shown",
    ["redis://h:6379/0?name=b", "redis+sentinel://h1,h2:26380/m?name=b", "redis+cluster://h1:6379,h2?name=b"],
)
def test_a_password_is_not_in_what_is_printed(shown: str) -> None:
    url = shown.replace("://", "://:CANARY@")
    store = bootstrap.open_store(url)
    assert store.url == shown
    assert without_password(url) == shown.replace("://", "://***@")
    assert "CANARY" not in repr(server_address(url))
    assert "CANARY" not in repr(Settings(store=StoreSettings(url=url)))
    store.close()


def test_a_password_of_the_sentinels_own_is_not_in_what_is_printed() -> None:
    url = "redis+sentinel://u:CANARY@h1,h2/m?name=b&sentinel_username=CANARY&sentinel_password=CANARY%23"
    assert store_url_problem("TIERCEL_STORE", url, secret=True) is None
    store = bootstrap.open_store(url)
    assert store.url == "redis+sentinel://h1,h2/m?name=b"
    assert without_password(url) == ("redis+sentinel://***@h1,h2/m?name=b&sentinel_username=***&sentinel_password=***")
    assert without_password("redis+sentinel://h/m?sentinel_password=x#CANARY") == (
        "redis+sentinel://h/m?sentinel_password=***"
    )
    address = server_address(url)
    assert (address.password, address.sentinel_password) == ("CANARY", "CANARY#")
    assert "CANARY" not in repr(replace(address, username=None, sentinel_username=None))
    assert outbox_file(url=url, outbox=True) == outbox_file(url=store.url, outbox=True)
    store.close()


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for option in ("ssl_ca_certs", "ssl_certfile"):
        for file in (nonsense, tmp_path / "missing.pem"):
            with pytest.raises(StoreError, match=f"{option}={file}"):
                bootstrap.open_store(f"rediss://h/0?{option}={file}")


def test_without_its_client_a_server_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("tiercel.adapters.redis_store")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[redis\]'"):
        bootstrap.open_store("redis://h")


def test_where_an_outbox_is() -> None:
    assert outbox_file(url="memory://", outbox=True) is None
    assert outbox_file(url="sqlite:///a.db", outbox=True) is None
    assert outbox_file(url="redis://h", outbox=False) is None
    assert outbox_file(url="sqlite:///a.db", outbox="/var/outbox.db") == Path("/var/outbox.db")
    mine, theirs = (outbox_file(url=f"redis://{host}:6379/0", outbox=True) for host in ("h", "i"))
    assert mine is not None
    assert re.fullmatch(r"tiercel-outbox-[0-9a-f]{8}\.db", str(mine))
    assert mine != theirs, "what one store has not got is not delivered to another"
    assert outbox_file(url="redis://u:CANARY@h:6379/0", outbox=True) == mine
    assert outbox_file(url="redis://h:6379/0", outbox=True, of="feedback") not in (mine, theirs)
