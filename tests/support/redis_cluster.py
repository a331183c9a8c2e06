"""Real redis-servers that are a Cluster, or that Sentinels watch; each in a folder and on a port of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.redis_server import RedisServer
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ResponseError

from support.servers import free_port
from support.waiting import until

BUS = 10_000
"""So much above its port a member of a Cluster speaks to the others."""
NODE_TIMEOUT_MS = 500
MEMBER = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
    # what a master has is there while another is away
    *("--cluster-require-full-coverage", "no"),
)
"""With what a member of a Cluster is started, and started again."""


class RedisCluster:
    """Masters that have the slots in equal shares, and as many replicas of each as are asked for."""

    def __init__(self, folder: Path, stack: ExitStack, *, masters: int, replicas: int, durable: bool) -> None:
        self.masters = [_member(folder, stack, durable=durable) for _ in range(masters)]
        self.replicas = [[_member(folder, stack) for _ in range(replicas)] for _ in self.masters]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.masters)
        members = [*self.masters, *(server for of_one in self.replicas for server in of_one)]
        for number, server in enumerate(self.masters):
            share = REDIS_CLUSTER_HASH_SLOTS / masters
            slots = range(round(share * number), round(share * (number + 1)))
            server.client.execute_command("CLUSTER ADDSLOTS", *slots)
            server.client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for server in members[1:]:
            server.client.execute_command("CLUSTER MEET", "127.0.0.1", members[0].port)
        until(lambda: all(self._knows(server, len(members)) for server in members))
        for master, of_one in zip(self.masters, self.replicas, strict=True):
            for server in of_one:
                until(partial(_accepted, server, "CLUSTER REPLICATE", self.id_of(master)))
        until(lambda: all(server.client.cluster("info")["cluster_state"] == "ok" for server in members))
        until(lambda: all(_in_step(server) for of_one in self.replicas for server in of_one))

    def id_of(self, server: RedisServer) -> str:
        """What the members call one of them."""
        return str(server.client.execute_command("CLUSTER MYID").decode())

    def master_of(self, key: str) -> RedisServer:
        """The master that had the key's slot at the start."""
        return self.masters[key_slot(key.encode()) * len(self.masters) // REDIS_CLUSTER_HASH_SLOTS]

    def slot_moves(self, slot: int, *, to: RedisServer, halfway: Callable[[], None]) -> None:
        """Move a slot and what is in it to another master, as those do who reshard; with a stop on the way."""
        source = self.masters[slot * len(self.masters) // REDIS_CLUSTER_HASH_SLOTS]
        to.client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(to))
        first = True
        while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 5 if first else 100):
            source.client.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *keys)
            if first:
                halfway()
            first = False
        for server in (to, source, *self.masters):
            server.client.execute_command("CLUSTER SETSLOT", slot, "NODE", self.id_of(to))

    def _knows(self, server: RedisServer, members: int) -> bool:
        return int(server.client.cluster("info")["cluster_known_nodes"]) == members


@contextmanager
def redis_cluster(
    folder: Path, *, masters: int = 3, replicas: int = 0, durable: bool = False
) -> Iterator[RedisCluster]:
    """A Cluster that runs; its masters keep what they hold where they are `durable`."""
    with ExitStack() as stack:
        yield RedisCluster(folder, stack, masters=masters, replicas=replicas, durable=durable)


class Watched:
    """A master with a replica, and Sentinels that promote it."""

    def __init__(self, folder: Path, stack: ExitStack, *, sentinels: int = 3) -> None:
        self.master = _server(folder, stack, free_port())
        self.replica = _server(folder, stack, free_port(), "--replicaof", "127.0.0.1", str(self.master.port))
        until(lambda: _in_step(self.replica))
        self.sentinels = [self._sentinel(folder, stack) for _ in range(sentinels)]
        self.url = "redis+sentinel://" + ",".join(f"127.0.0.1:{s.port}" for s in self.sentinels) + "/mine/0"
        until(lambda: all(self._knows(sentinel) for sentinel in self.sentinels))

    def promoted(self) -> bool:
        """Whether a Sentinel says that the replica is the master now."""
        said = [sentinel.client.sentinel_get_master_addr_by_name("mine") for sentinel in self.sentinels]
        return self.replica.port in (int(port) for _, port in said)

    def _sentinel(self, folder: Path, stack: ExitStack) -> RedisServer:
        port = free_port()
        home = folder / str(port)
        home.mkdir()
        settings = home / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor mine 127.0.0.1 {self.master.port} 2\n"
            "sentinel down-after-milliseconds mine 500\nsentinel failover-timeout mine 2000\n"
        )
        return _started(RedisServer(home, port=port, settings=settings), stack, "--sentinel")

    def _knows(self, sentinel: RedisServer) -> bool:
        (found,) = sentinel.client.sentinel_masters().values()
        return (found["num-slaves"], found["num-other-sentinels"]) == (1, len(self.sentinels) - 1)


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Servers and Sentinels that run."""
    with ExitStack() as stack:
        yield Watched(folder, stack)


def _member(folder: Path, stack: ExitStack, *, durable: bool = False) -> RedisServer:
    return _server(folder, stack, member_port(), *MEMBER, durable=durable)


def _server(folder: Path, stack: ExitStack, port: int, *options: str, durable: bool = False) -> RedisServer:
    home = folder / str(port)
    home.mkdir()
    return _started(RedisServer(home, port=port, durable=durable), stack, *options)


def _started(server: RedisServer, stack: ExitStack, *options: str) -> RedisServer:
    stack.callback(server.close)
    server.start(*options)
    return server


def member_port() -> int:
    """A port nobody has, whose bus nobody has either."""
    while True:
        port = free_port()
        if port + BUS >= 1 << 16:
            continue
        with socket.socket() as bus:
            try:
                bus.bind(("127.0.0.1", port + BUS))
            except OSError:
                continue
        return port


def _in_step(replica: RedisServer) -> bool:
    return bool(replica.client.info("replication").get("master_link_status") == "up")


def _accepted(server: RedisServer, *command: str) -> bool:
    try:
        server.client.execute_command(*command)
    except ResponseError:  # it has not heard of the other yet
        return False
    return True
