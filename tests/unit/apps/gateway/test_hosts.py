from __future__ import annotations

import pytest

from support.keyed import KEY_SETTINGS
from tiercel.apps.gateway.errors import HttpError
from tiercel.apps.gateway.hosts import Hosts
from tiercel.config.settings import ServerSettings, Settings

LOOPBACK = [
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.9.9.9",
    "[::1]",
    "[::1]:8080",
]
ADDRESSES = ["192.0.2.7", "192.0.2.7:8080", "[2001:db8::7]:8080", "0.0.0.0"]  # noqa: S104 - nothing is bound
NAMES = [
    "evil.example",
    "localhost.evil.example:8080",
    "127.0.0.1.evil.example",
    "127.0.0.1.",
    "tiercel.example.com.evil",
]
BROKEN = [
    ":8080",
    "[::1",
    "::1",
    "localhost:8080@evil.example",
    "localhost:x",
    "localhost:123456",
    "evil localhost",
    "localhost\x00",
    "[localhost]",
    "local\xe9host",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "l" * 400,
]
PUBLIC = ["tiercel.example.com", "Tiercel.Example.com:1", "other", "other:8443"]

HERE = ServerSettings(public_hosts=("tiercel.example.com", "other:8443"))


def known(settings: Settings, host: str) -> bool:
    try:
        Hosts(settings).check_host({b"host": host.encode("latin-1")})
    except HttpError as error:
        return (error.status, error.code) != (421, "unknown_host")
    return True


def test_without_keys_only_this_machines_names_and_the_public_ones_are_known() -> None:
    for server, hosts in ((ServerSettings(), LOOPBACK), (HERE, [*LOOPBACK, *PUBLIC])):
        settings = Settings(server=server)
        assert [host for host in hosts if not known(settings, host)] == []
        foreign = {*NAMES, *BROKEN, *ADDRESSES, *PUBLIC} - set(hosts) - {"127.0.0.1."}
        assert [host for host in foreign if known(settings, host)] == []
        Hosts(settings).check_host({})
        Hosts(settings).check_host({b"host": b""})


def test_beyond_this_machine_every_address_is_known_and_no_further_name() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "::"):  # noqa: S104 - nothing is bound
        settings = Settings(server=ServerSettings(host=host))
        assert [known(settings, address) for address in ADDRESSES] == [True] * len(ADDRESSES)
        assert not any(known(settings, name) for name in (*NAMES[:3], NAMES[4], *BROKEN[:11], *PUBLIC))
    assert known(Settings(server=ServerSettings(host="Box.local")), "box.local:8080")


def test_with_keys_every_name_is_known_unless_the_public_ones_are_listed() -> None:
    assert all(known(Settings(keys=KEY_SETTINGS), host) for host in (*LOOPBACK, *NAMES, *ADDRESSES, *PUBLIC))
    listed = Settings(keys=KEY_SETTINGS, server=HERE)
    assert all(known(listed, host) for host in (*LOOPBACK, *PUBLIC))
    assert not any(known(listed, host) for host in ("evil.example", "tiercel.example.com.evil"))


@pytest.mark.parametrize(
    ("host", "origin", "own"),
    [
        ("localhost:8080", "http://localhost:8080", True),
        ("LOCALHOST:8080", "http://localhost:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("upstream:80", "https://tiercel.example.com", True),
        ("upstream:80", "https://other:8443", True),
        ("upstream:80", "https://other", False),
        ("tiercel.example.com", "https://tiercel.example.com:8443", False),
        ("localhost:8080", "http://localhost:8080.evil.example", False),
        ("localhost:8080", "http://localhost:80801", False),
        ("localhost:8080", "http://evil@localhost:8080", False),
        ("", "null", False),
        ("", "", False),
        ("", "http://", False),
    ],
)
def test_which_pages_are_our_own(*, host: str, origin: str, own: bool) -> None:
    hosts = Hosts(Settings(server=HERE))
    index = {b"host": host.encode(), b"origin": origin.encode()}
    if own:
        hosts.check_origin(index)
        return
    with pytest.raises(HttpError) as refused:
        hosts.check_origin(index)
    assert (refused.value.status, refused.value.code) == (403, "foreign_origin")


def test_what_is_remembered_of_names_is_bounded() -> None:
    hosts = Hosts(Settings())
    for i in range(2000):
        with pytest.raises(HttpError):
            hosts.check_host({b"host": b"evil-%d.example" % i})
    assert hosts._is_known.cache_info().currsize <= 256
