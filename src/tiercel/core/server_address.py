"""The address of a store in servers: one, one that Sentinels know, or a Cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SINGLE, SENTINEL, CLUSTER = "redis", "redis+sentinel", "redis+cluster"
FORMS = {
    SINGLE: "redis://host:6379/0",
    SENTINEL: "redis+sentinel://host:26379,host:26379/service/0",
    CLUSTER: "redis+cluster://host:6379,host:6379",
}
_PORTS = {SINGLE: 6379, SENTINEL: 26379, CLUSTER: 6379}
_TLS = {form.replace("redis", "rediss", 1): form for form in FORMS}
SCHEMES = (*FORMS, *_TLS)

DEFAULT_NAME = "tiercel"
DEFAULT_PARTITIONS, MAX_PARTITIONS = 16, 256

_LOGIN = ("sentinel_username", "sentinel_password")
_CERTIFICATES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""As the Redis client calls them."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the servers are (`form` says what they are), and which store in them is meant.

    `hosts` are to be asked first. `service` is what Sentinels call the master. `partitions` is 1 but on a Cluster.
    User and password are the servers'; Sentinels have their own. The files (PEM) are the authorities that vouch for the
    servers, "" for those of the system, and the certificate and key that this client shows, "" for none.
    """

    form: str
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    name: str
    partitions: int
    username: str | None
    password: str | None = field(repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    ca_certs: str = ""
    certfile: str = ""
    keyfile: str = ""


def on_servers(url: str) -> bool:
    """Whether a store's address names servers, which processes on other machines may share."""
    return url.partition("://")[0] in SCHEMES


def without_login(url: str) -> str:
    """The address without what lets one in: users, passwords and certificates."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    kept = [option for option in options if option[0] not in (*_LOGIN, *_CERTIFICATES)]
    query = parts.query if len(kept) == len(options) else urlencode(kept)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def without_secrets(url: str) -> str:
    """The address for people to read: *** for every user and password, and the rest as it is."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    options = parse_qsl(parts.query, keep_blank_values=True)
    if not any(name in _LOGIN for name, _ in options):
        return urlunsplit(parts._replace(netloc=f"***@{host}")) if at else url
    shown = urlencode([(name, "***" if name in _LOGIN else said) for name, said in options], safe="*/")
    # what follows a # may be the end of a password that was not percent-encoded
    return urlunsplit(parts._replace(netloc=f"***@{host}" if at else host, query=shown, fragment=""))


def server_address(url: str) -> ServerAddress:
    """What an address of servers says. Raises `ValueError`, which says what it has to be and names no password."""
    scheme = url.partition("://")[0]
    form = _TLS.get(scheme, scheme)
    example = FORMS[form]
    try:
        parts = urlsplit(url)
        login, _, where = parts.netloc.rpartition("@")
        hosts = tuple(_host(one, _PORTS[form]) for one in where.split(","))
    except ValueError:
        # what it says may hold the password
        raise ValueError(f"must be an address like {example}") from None
    options = _options(parts.query, form, tls=scheme in _TLS)
    if parts.fragment or (form == SINGLE and len(hosts) > 1):
        raise ValueError(f"must be an address like {example}")
    service, database = _path(parts.path.removeprefix("/"), form)
    username, _, password = login.partition(":")
    return ServerAddress(
        form=form,
        tls=scheme in _TLS,
        hosts=hosts,
        service=service,
        database=database,
        name=options.get("name", DEFAULT_NAME),
        partitions=int(options.get("partitions", DEFAULT_PARTITIONS)) if form == CLUSTER else 1,
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        ca_certs=options.get("ssl_ca_certs", ""),
        certfile=options.get("ssl_certfile", ""),
        keyfile=options.get("ssl_keyfile", ""),
    )


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    named = port if parts.port is None else parts.port
    if not parts.hostname or named == 0:
        raise ValueError
    return parts.hostname, named


def _options(query: str, form: str, *, tls: bool) -> dict[str, str]:
    allowed = {"name": "which of several stores in a server it is"}
    allowed |= {"partitions": f"1..{MAX_PARTITIONS}"} if form == CLUSTER else {}
    allowed |= dict.fromkeys(_LOGIN, "the Sentinels' own") if form == SENTINEL else {}
    allowed |= dict.fromkeys(_CERTIFICATES, "a PEM file") if tls else {}
    options = parse_qsl(query, keep_blank_values=True)
    found = dict(options)
    partitions = found.get("partitions", "1")
    counted = partitions.isascii() and partitions.isdigit() and 1 <= int(partitions) <= MAX_PARTITIONS
    paired = "ssl_certfile" in found or "ssl_keyfile" not in found
    known = found.keys() <= allowed.keys() and all(found.values()) and len(found) == len(options)
    if not (known and counted and paired) or (query and not options):
        may = ", ".join(f"?{name}=... ({meaning})" for name, meaning in allowed.items())
        raise ValueError(f"may say {may}, and nothing else; each once, percent-encoded, a key with its certificate")
    return found


def _path(path: str, form: str) -> tuple[str, int]:
    service, _, database = path.partition("/")
    if form == SINGLE:
        service, database = "", path
    elif form == CLUSTER and path:
        raise ValueError(f"must be an address like {FORMS[form]}: a Cluster has no databases")
    elif form == SENTINEL and not service:
        raise ValueError(f"must be an address like {FORMS[form]}, with the name that Sentinels know the master by")
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError(f"must be an address like {FORMS[form]}, with the number of a database")
    return unquote(service), int(database or 0)
