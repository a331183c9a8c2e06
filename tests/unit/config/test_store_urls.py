"""What may stand for a store, and what is said of the rest."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tiercel import bootstrap
from tiercel.config.settings import Settings, StoreSettings
from tiercel.config.urls import outbox_file, store_url_problem, without_password
from tiercel.core.server_address import on_servers, server_address
from tiercel.domain.errors import InvalidInput, MissingDependency


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
