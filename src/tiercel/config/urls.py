"""What a store's or a provider's address may be."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tiercel.config.problems import shown
from tiercel.core.server_address import FORMS, on_servers, server_address, without_login, without_secrets
from tiercel.domain.errors import Problem

STORE_FORMS = ("memory://", "sqlite:///relative.db", "sqlite:////absolute/path.db", *FORMS.values())
"""All that a store's address may look like; servers' also with TLS: rediss://, rediss+sentinel://, rediss+cluster://."""


def store_url_problem(path: str, url: str, *, secret: bool = False) -> Problem | None:
    """What is wrong with a store's address, or None. Only where it is kept `secret` may it hold a password."""
    scheme, separator, rest = url.partition("://")
    if _has_password(url) and not (secret and on_servers(url)):
        return Problem(path, "must not hold a password: name the store in the environment variable TIERCEL_STORE")
    if separator and on_servers(url):
        return _server_problem(path, url)
    complete = rest == "" if scheme == "memory" else rest.startswith("/") and len(rest) > 1
    if separator and scheme in ("memory", "sqlite") and complete:
        return None
    return Problem(path, f"must be one of {', '.join(STORE_FORMS)}", _unreadable(url), "unknown")


def _server_problem(path: str, url: str) -> Problem | None:
    try:
        server_address(url)
    except ValueError as error:
        return Problem(path, str(error), _unreadable(url))
    return None


def store_file(url: str) -> Path | None:
    """The file a store's address names, or None where it names none."""
    scheme, _, rest = url.partition("://")
    return Path(unquote(rest[1:])) if scheme == "sqlite" else None


def outbox_file(*, url: str, outbox: str | bool, of: str = "") -> Path | None:
    """The file for what a store has not got while it is away; None where there is none. See `StoreSettings`.

    In the working directory it is named after the store, so that nothing is delivered to another one, and after whose
    it is (`of`): who does not learn does not deliver for those who do.
    """
    if isinstance(outbox, str):
        return Path(outbox)
    if not (outbox and on_servers(url)):
        return None
    store = hashlib.sha256(without_login(url).encode()).hexdigest()[:8]
    return Path("-".join(filter(None, ("tiercel", of, "outbox", store))) + ".db")


def base_url_problem(path: str, url: str) -> Problem | None:
    """What is wrong with a provider's base address, or None."""
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        return Problem(path, f"must be an address like https://api.example.com/v1 ({error})", _shown(url))
    if parts.username is not None or parts.password is not None:
        return Problem(path, "must not hold a user or password: name the key's environment variable in api_key_env")
    if not complete or any(c.isspace() or not c.isprintable() for c in url):
        return Problem(path, "must start with http:// or https:// and name a host", _shown(url))
    if parts.query or parts.fragment:
        return Problem(path, "must end with its path: no ? or #", _shown(url))
    return None


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, whatever a name service says."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_password(url: str) -> str:
    """`url` with any password in it replaced by ***."""
    try:
        return without_secrets(url)
    except ValueError:
        return "***" if "@" in url else url


def _has_password(url: str) -> bool:
    return without_password(url) != url


def _unreadable(url: str) -> str:
    """An address for a message that says what is wrong with it: without all that may be a password.

    One that should have been percent-encoded may look like a path or a query.
    """
    login, at, rest = url.rpartition("@")
    scheme, separator, _ = login.partition("://")
    start = f"{scheme}://" if separator else ""
    return repr((f"{start}***@{rest}" if at else url).partition("?")[0])


def _shown(url: str) -> str:
    return shown(url.partition("?")[0])
