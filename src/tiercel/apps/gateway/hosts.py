"""Under which names the gateway may be reached, and from which pages.

A page of a foreign site can make its own name point to this machine and then read whatever is answered under that name
(DNS rebinding). It cannot choose an address as its name, and it cannot hide its name: browsers always send Host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from tiercel.apps.gateway.errors import HttpError
from tiercel.config.settings import Settings
from tiercel.config.urls import is_loopback

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]\s]+)(?::\d{1,5})?")
_MAX_LENGTH = 300
_OWN_PAGES = (b"same-origin", b"none")
"""What a browser says of requests that its own page or its user made."""


class Hosts:
    """The names of a gateway.

    Known are the names of loopback, the address it listens on and `public_hosts`; beyond loopback every address, for
    only names can be made to point elsewhere. With keys and without `public_hosts` every name is known: then a browser
    shows its session only under the name that it was begun under.
    """

    def __init__(self, settings: Settings) -> None:
        server = settings.server
        self._any = bool(settings.keys) and not server.public_hosts
        self._origins = frozenset(server.public_hosts)
        self._names = frozenset({server.host.lower(), *(_name(host) for host in server.public_hosts)})
        self._addresses = not is_loopback(server.host)
        self._is_known = lru_cache(maxsize=256)(self._look_up)

    def check_host(self, index: Mapping[bytes, bytes]) -> None:
        """Refuse a request for an unknown name with 421. One without Host, or an empty one, comes from no browser.

        The server hands on an empty Host where there was none.
        """
        host = index.get(b"host")
        if not (self._any or not host or (len(host) <= _MAX_LENGTH and self._is_known(host))):
            message = "this gateway is not known under that name; [server] public_hosts lists further ones"
            raise HttpError(421, message, "unknown_host")

    def check_origin(self, index: Mapping[bytes, bytes]) -> None:
        """Refuse what a page of another site sends with 403."""
        site, origin = index.get(b"sec-fetch-site"), index.get(b"origin")
        own = site is None or site in _OWN_PAGES
        if own and origin is not None:
            _, separator, authority = origin.decode("latin-1").lower().partition("://")
            host = index.get(b"host", b"").decode("latin-1").lower()
            own = bool(separator and authority) and (authority == host or authority in self._origins)
        if not own:
            raise HttpError(403, "a page of another site may change nothing here", "foreign_origin")

    def _look_up(self, host: bytes) -> bool:
        name = _name(host.decode("latin-1").lower())
        if name in self._names or is_loopback(name):
            return bool(name)
        return self._addresses and _is_address(name)


def _name(authority: str) -> str:
    """The name or address in "name:port", or "" where it is neither."""
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").removesuffix(".") if found else ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
