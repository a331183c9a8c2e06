"""The masters of a Cluster: which of them has a slot, and which of them are away.

One that is away is asked nothing until it answers a `PING` again: so the others are held up by it once, for as long as
a wait for the network may be, and after that for a fraction of it now and then.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    MovedError,
    RedisClusterException,
    RedisError,
    TimeoutError,  # noqa: A004
)

from tiercel.adapters.redis_store.nodes import Command, key_of, run
from tiercel.core.server_address import ServerAddress

REDIRECTIONS = 5
"""In a row: slots that move while they are looked for."""

LOOK_AGAIN_S = 0.5
"""How soon at the earliest it is asked again who has which slots, while a master is away."""

FIRST_PROBE_S, LAST_PROBE_S = 0.1, 0.4
LAST_PAUSE_S = 1.0

Address = tuple[str, int]
_GONE = (ConnectionError, TimeoutError)


class Slots(NamedTuple):
    """Who has which slots: from `starts[n]` to `ends[n]` master `masters[n]`."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    masters: tuple[Address, ...]

    def master_of(self, key: str | bytes) -> Address | None:
        """Who has the key's slot, if anybody."""
        slot = key_slot(key if isinstance(key, bytes) else key.encode())
        place = bisect_right(self.starts, slot) - 1
        return self.masters[place] if place >= 0 and slot <= self.ends[place] else None


@dataclass(slots=True)
class _Absence:
    """Why a master is taken to be away, and when and for how long it is tried again."""

    error: RedisError
    probe_s: float
    pause_s: float
    until_s: float


class ClusterNodes:
    """The masters of a Cluster; see `Nodes`. One round trip to all that have something to do, unless slots moved."""

    def __init__(
        self, address: ServerAddress, options: dict[str, Any], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts = address.hosts
        self._options = options
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._clients: dict[Address, Any] = {}
        self._slots: Slots | None = None
        self._stale = False
        self._looked_at_s = 0.0
        self._absent: dict[Address, _Absence] = {}
        # a master that is slow holds up nobody but those who need its answer
        self._threads = ThreadPoolExecutor(thread_name_prefix="tiercel-cluster")

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """See `Nodes.run`. Raises only if no master can be asked; else those of one that cannot have its error."""
        answers: list[Any] = [None] * len(commands)
        left: Sequence[int] = range(len(commands))
        for _ in range(REDIRECTIONS):
            slots = self._known()
            self._send(slots, commands, answers, left)
            left = [number for number in left if isinstance(answers[number], MovedError)]
            if not left:
                break
            self._look_again(at_once=True)
        if any(isinstance(answer, (*_GONE, ClusterDownError)) for answer in answers):
            self._look_again()
            if set(slots.masters) <= self._absent.keys():
                raise ConnectionError("; ".join(str(absence.error) for absence in self._absent.values()))
        return answers

    def close(self) -> None:
        """See `Nodes.close`."""
        self._threads.shutdown()
        with self._lock:
            for client in self._clients.values():
                client.close()

    def _send(self, slots: Slots, commands: Sequence[Command], answers: list[Any], numbers: Iterable[int]) -> None:
        """Send the commands with these numbers to where their keys are, and note what they answer."""
        of_master: defaultdict[Address, list[int]] = defaultdict(list)
        for number in numbers:
            master = slots.master_of(key_of(commands[number]))
            if master is None:
                answers[number] = ClusterDownError("CLUSTERDOWN nobody has the slot")
            else:
                of_master[master].append(number)
        work = {master: [commands[number] for number in some] for master, some in of_master.items()}
        # threads cost more than they save where one master is asked
        each = self._threads.map if len(work) > 1 else map
        for some, found in zip(of_master.values(), each(self._ask, work.keys(), work.values()), strict=True):
            for number, answer in zip(some, found, strict=True):
                redirected = isinstance(answer, AskError) and not isinstance(answer, MovedError)
                answers[number] = self._asking(answer, commands[number]) if redirected else answer

    def _ask(self, master: Address, commands: Sequence[Command]) -> list[Any]:
        """What a master answers, or for each command why it does not."""
        error = self._absence(master)
        if error is None:
            try:
                return run(self._client(master), commands)
            except _GONE as gone:
                error = _of(master, gone)
                pause_s = FIRST_PROBE_S * 5
                self._absent[master] = _Absence(error, FIRST_PROBE_S, pause_s, self._monotonic_s() + pause_s)
        return [error] * len(commands)

    def _absence(self, master: Address) -> RedisError | None:
        """Why a master is not to be asked, if so. Tries it when that is due, and does not wait long for it."""
        absence = self._absent.get(master)
        if absence is None:
            return None
        if self._monotonic_s() < absence.until_s:
            return absence.error
        host, port = master
        waits = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), absence.probe_s)
        probe: Any = Redis(host=host, port=port, **self._options | waits)
        try:
            probe.ping()
        except _GONE as gone:
            absence.error = _of(master, gone)
            absence.probe_s = min(2 * absence.probe_s, LAST_PROBE_S)
            absence.pause_s = min(2 * absence.pause_s, LAST_PAUSE_S)
            absence.until_s = self._monotonic_s() + absence.pause_s
            return absence.error
        except RedisError:
            pass  # it answers, if only to refuse: so it will be told to those who ask
        finally:
            probe.close()
        self._absent.pop(master, None)
        return None

    def _asking(self, redirected: AskError, command: Command) -> Any:  # noqa: ANN401 - whatever it answers
        """What the node answers that a slot is on its way to."""
        try:
            return run(self._client((redirected.host, redirected.port)), [("ASKING",), command])[1]
        except RedisError as error:
            return error

    def _client(self, node: Address) -> Any:  # noqa: ANN401
        with self._lock:
            client = self._clients.get(node)
            if client is None:
                host, port = node
                client = self._clients[node] = Redis(host=host, port=port, **self._options)
            return client

    def _look_again(self, *, at_once: bool = False) -> None:
        """Who has which slots is not known any more."""
        self._stale = True
        if at_once:
            self._looked_at_s = -LOOK_AGAIN_S

    def _known(self) -> Slots:
        """Who has which slots. Raises where nobody tells, and nobody ever did."""
        due = self._monotonic_s() - self._looked_at_s >= LOOK_AGAIN_S
        if self._slots is None or (self._stale and due):
            # what comes to be known meanwhile is asked for the next time
            self._stale = False
            self._slots = self._told(self._slots)
            self._looked_at_s = self._monotonic_s()
            for gone in self._absent.keys() - set(self._slots.masters):
                self._absent.pop(gone, None)
        return self._slots

    def _told(self, before: Slots | None) -> Slots:
        said: list[str] = []
        known = dict.fromkeys((*(before.masters if before else ()), *self._hosts))
        for node in sorted(known, key=lambda node: node in self._absent):
            if before is not None and node in self._absent:
                break  # nobody else can tell
            try:
                (answer,) = run(self._client(node), [("CLUSTER", "SLOTS")])
            except _GONE as gone:
                answer = gone
            if not isinstance(answer, RedisError) and answer:
                return _slots(answer, node[0])
            said.append(str(answer) if answer else f"{node[0]}:{node[1]}: nobody has any slot of the Cluster")
        if before is not None:
            return before
        raise RedisClusterException(f"no member of the Cluster tells who has its slots: {'; '.join(said)}")


def _of(master: Address, gone: RedisError) -> RedisError:
    """The same error, that says whose it is."""
    return type(gone)(f"{master[0]}:{master[1]}: {gone}")


def _slots(answer: Iterable[Sequence[Any]], asked: str) -> Slots:
    """What `CLUSTER SLOTS` says; a master without a name is the one who was asked."""
    ranges = sorted((int(start), int(end), _address(master, asked)) for start, end, master, *_ in answer)
    starts, ends, masters = zip(*ranges, strict=True)
    return Slots(starts, ends, masters)


def _address(master: Sequence[Any], asked: str) -> Address:
    host = bytes(master[0] or b"").decode()
    return host or asked, int(master[1])
