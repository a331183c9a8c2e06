"""The servers of a store: where each command goes, and what becomes of it where the server is another than before.

Each command is sent once. Nothing is tried again here but what a Cluster redirects: whoever asks does that, for a step
that was done may not be known to be done, and repeating it has no second effect.
"""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    MovedError,
    RedisClusterException,
    RedisError,
    TimeoutError,  # noqa: A004
)
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from tiercel.core.server_address import CLUSTER, SENTINEL, ServerAddress
from tiercel.domain.errors import StoreError

REDIRECTIONS = 5
"""In a row: slots that move while they are looked for."""

Command = tuple[Any, ...]

# the client says too little of their types
_ClusterNode: Any = ClusterNode


class Nodes(Protocol):
    """One or many servers, from any thread."""

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """What each command answers, or the error it was answered with. Raises what the client raises."""
        ...

    def close(self) -> None:
        """Close the connections; idempotent."""
        ...


def nodes_at(address: ServerAddress, timeout_s: float) -> Nodes:
    """The servers at an address. Does not connect. `timeout_s` bounds each wait for the network."""
    options: dict[str, Any] = {
        "protocol": 2,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "username": address.username,
        "password": address.password,
        **_tls(address),
    }
    if address.form == CLUSTER:
        return ClusterNodes(address, options)
    options |= {"db": address.database, "retry": Retry(NoBackoff(), 0)}
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
        return _run(self._client, commands)

    def close(self) -> None:
        """See `Nodes.close`."""
        self._client.close()


class ClusterNodes:
    """The masters of a Cluster; which slots each of them has is asked when it is first needed, and when that changed.

    One round trip to each master that has something to do, unless slots were moved.
    """

    def __init__(self, address: ServerAddress, options: dict[str, Any]) -> None:
        self._hosts = address.hosts
        self._options = options
        self._lock = threading.Lock()
        self._cluster: Any = None
        self._stale = False

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """See `Nodes.run`."""
        answers: list[Any] = [None] * len(commands)
        left: Sequence[int] = range(len(commands))
        try:
            for _ in range(REDIRECTIONS):
                cluster = self._known()
                self._send(cluster, commands, answers, left)
                left = [number for number in left if isinstance(answers[number], MovedError)]
                if not left:
                    break
                self._stale = True
        except (ConnectionError, TimeoutError, RedisClusterException):
            self._stale = True
            raise
        if any(isinstance(answer, ClusterDownError) for answer in answers):
            self._stale = True
        return answers

    def close(self) -> None:
        """See `Nodes.close`."""
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()

    def _send(self, cluster: Any, commands: Sequence[Command], answers: list[Any], numbers: Iterable[int]) -> None:  # noqa: ANN401
        """Send the commands with these numbers to where their keys are, and note what they answer."""
        of_node: defaultdict[str, list[int]] = defaultdict(list)
        for number in numbers:
            slot = cluster.keyslot(key_of(commands[number]))
            of_node[cluster.nodes_manager.get_node_from_slot(slot).name].append(number)
        for name, some in of_node.items():
            client = cluster.get_redis_connection(cluster.get_node(node_name=name))
            for number, answer in zip(some, _run(client, [commands[number] for number in some]), strict=True):
                asked = isinstance(answer, AskError) and not isinstance(answer, MovedError)
                answers[number] = _asking(cluster, answer, commands[number]) if asked else answer

    def _known(self) -> Any:  # noqa: ANN401
        """The Cluster as it is now."""
        with self._lock:
            if self._cluster is None:
                self._cluster = RedisCluster(
                    startup_nodes=[_ClusterNode(host, port) for host, port in self._hosts],
                    # while a master is away, the others are there
                    require_full_coverage=False,
                    **self._options,
                )
            elif self._stale:
                self._cluster.nodes_manager.initialize()
            self._stale = False
            return self._cluster


def _run(client: Any, commands: Sequence[Command]) -> list[Any]:  # noqa: ANN401
    with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def _asking(cluster: Any, redirected: AskError, command: Command) -> Any:  # noqa: ANN401 - whatever it answers
    """What the node answers that a slot is on its way to."""
    node = cluster.get_node(host=redirected.host, port=redirected.port)
    if node is None:
        return redirected
    try:
        return _run(cluster.get_redis_connection(node), [("ASKING",), command])[1]
    except RedisError as error:
        return error


def key_of(command: Command) -> Any:  # noqa: ANN401 - text or bytes
    """The key that says where a command goes: all of its keys are in one place."""
    return command[3] if command[0] in ("EVAL", "EVALSHA") else command[1]
