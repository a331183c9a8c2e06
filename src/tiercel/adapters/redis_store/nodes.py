"""The servers of a store: where each command goes, and what becomes of it where the server is another than before.

Each command is sent once. Nothing is tried again here but what a Cluster redirects: whoever asks does that, for a step
that was done may not be known to be done, and repeating it has no second effect.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from tiercel.core.server_address import SENTINEL, ServerAddress
from tiercel.domain.errors import StoreError

Command = tuple[Any, ...]


class Nodes(Protocol):
    """One or many servers, from any thread."""

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """What each command answers, or the error it was answered with. Raises what the client raises."""
        ...

    def close(self) -> None:
        """Close the connections; idempotent."""
        ...


def options_of(address: ServerAddress, timeout_s: float) -> dict[str, Any]:
    """What the client is told of every server at an address."""
    return {
        "protocol": 2,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "username": address.username,
        "password": address.password,
        **_tls(address),
        "retry": Retry(NoBackoff(), 0),
    }


def node_at(address: ServerAddress, timeout_s: float) -> Nodes:
    """The server at an address, or the master that the Sentinels there know. Does not connect.

    `timeout_s` bounds each wait for the network.
    """
    options = options_of(address, timeout_s) | {"db": address.database}
    if address.form == SENTINEL:
        own = {"username": address.sentinel_username, "password": address.sentinel_password, "db": 0}
        sentinels = _sentinels(list(address.hosts), sentinel_kwargs=options | own)
        return OneNode(sentinels.master_for(address.service, **options))
    ((host, port),) = address.hosts
    return OneNode(Redis(host=host, port=port, **options))


def _tls(address: ServerAddress) -> dict[str, Any]:
    """What the client is told of certificates. Raises `StoreError` for files that hold none."""
    if not address.tls:
        return {"ssl": False}
    files = {"ssl_ca_certs": address.ca_certs, "ssl_certfile": address.certfile, "ssl_keyfile": address.keyfile}
    named = {option: file for option, file in files.items() if file}
    try:
        context = ssl.create_default_context(cafile=address.ca_certs or None)
        if address.certfile:
            context.load_cert_chain(address.certfile, address.keyfile or None)
    except OSError as error:
        said = ", ".join(f"{option}={file}" for option, file in named.items())
        raise StoreError(f"the certificates cannot be read ({said}): {error}") from error
    # some releases of the client take any name in a certificate unless they are told
    return {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, **named}


class Sentinels(Sentinel):
    """Those who know the master. Asked as the client asks them; but it does not tell why none of them does."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Host and port of the master. Raises `MasterNotFoundError`, with what each of them said."""
        said = []
        each: Any = self.sentinels
        is_up: Any = self.check_master_state
        for number, one in enumerate(each):
            where = "{host}:{port}".format(**one.connection_pool.connection_kwargs)
            try:
                state = one.sentinel_masters().get(service_name)
            except RedisError as error:
                said.append(f"{where}: {error}")
                continue
            if state and is_up(state, service_name):
                # who knew it last time is asked first
                each.insert(0, each.pop(number))
                return state["ip"], state["port"]
            said.append(f"{where} knows no master {service_name!r} that is up")
        raise MasterNotFoundError("; ".join(said))


_sentinels: Any = Sentinels


class OneNode:
    """One server, or whichever of several the Sentinels say is the master."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self._client = client

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """See `Nodes.run`. One round trip."""
        return run(self._client, commands)

    def close(self) -> None:
        """See `Nodes.close`."""
        self._client.close()


def run(client: Any, commands: Sequence[Command]) -> list[Any]:  # noqa: ANN401
    """What one server answers to commands, in one round trip; raises what the client raises."""
    with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def key_of(command: Command) -> Any:  # noqa: ANN401 - text or bytes
    """The key that says where a command goes: all of its keys are in one place."""
    return command[3] if command[0] in ("EVAL", "EVALSHA") else command[1]
