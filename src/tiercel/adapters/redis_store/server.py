"""What is said to the servers: several commands per round trip, and the scripts that read and write at once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import islice
from typing import Any, TypeVar

import msgspec
from redis.exceptions import (
    ConnectionError,  # noqa: A004
    NoScriptError,
    RedisError,
    TimeoutError,  # noqa: A004
)

from tiercel.adapters.redis_store.cluster import ClusterNodes
from tiercel.adapters.redis_store.errors import translated, translating
from tiercel.adapters.redis_store.keys import Key
from tiercel.adapters.redis_store.nodes import Command, key_of, node_at, options_of
from tiercel.core.server_address import CLUSTER, server_address, without_login
from tiercel.domain.errors import StoreError, StoreUnavailable

log = logging.getLogger("tiercel.store")

Argument = str | bytes | int | tuple[str, int]
"""Of a command that writes: an int n is the n-th position after the log's end, a pair a text followed by it."""

_MANY = frozenset(("HSET", "HDEL", "ZADD", "ZREM", "SADD", "SREM", "RPUSH", "XDEL"))
"""Commands that take any number of what they add or remove."""

_MAX_ARGUMENTS = 1_000
"""Of one command: Lua unpacks no more than some thousands. Even, as fields and values come in pairs."""

_T = TypeVar("_T")

_encoder = msgspec.msgpack.Encoder()


class Write:
    """What is written in one step, and what must still hold for it.

    `following` is done after it: what is where one step cannot reach. `begun` names the log that begins with it.
    """

    def __init__(self, progress: Key) -> None:
        self.begun = ""
        self.following: list[Command] = []
        self._keys = {progress: 1}
        self._conditions: list[list[Any]] = []
        self._commands: list[list[Any]] = []
        self._growing: dict[tuple[str, Key], list[Any]] = {}

    def only_if(self, expected: str | bytes | int | None, command: str, key: Key, *arguments: str) -> None:
        """Nothing is written unless `command` still answers so."""
        answer = False if expected is None else expected.decode() if isinstance(expected, bytes) else str(expected)
        self._conditions.append([command, self._number(key), *arguments, answer])

    def add(self, command: str, key: Key, *arguments: Argument) -> None:
        """Do this too. What one command can add or remove together, it does, where the first of it stood."""
        growing = self._growing.get((command, key)) if command in _MANY else None
        if growing is None or len(growing) - 2 + len(arguments) > _MAX_ARGUMENTS:
            growing = [command, self._number(key)]
            self._growing[command, key] = growing
            self._commands.append(growing)
        # the script's MessagePack knows text only
        growing += [part.decode() if isinstance(part, bytes) else part for part in arguments]

    def __bool__(self) -> bool:
        return bool(self._commands)

    def keys(self) -> list[str]:
        """The keys, in the order of their numbers."""
        return [key.name for key in self._keys]

    def packed(self) -> bytes:
        """What the script reads."""
        return _encoder.encode(([key.type for key in self._keys], self._conditions, self._commands))

    def _number(self, key: Key) -> int:
        return self._keys.setdefault(key, len(self._keys) + 1)


class Server:
    """The server or servers at `url`, from any thread. Raises `StoreError`s; tries nothing twice, for its callers do.

    `timeout_s` bounds each wait for the network: a server that is frozen holds nobody up for longer.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.place = without_login(url)
        self.address = server_address(url)
        self._closed = False
        self._all_shown = True
        self._asking = script("ask.lua")
        self._writing = script("commit.lua")
        self._digest = hashlib.sha1(self._writing.encode(), usedforsecurity=False).hexdigest()
        self._nodes = (
            ClusterNodes(self.address, options_of(self.address, timeout_s))
            if self.address.form == CLUSTER
            else node_at(self.address, timeout_s)
        )

    def ask(self, *commands: Command) -> list[Any]:
        """The answers to `commands`, in one round trip."""
        (answers,) = self.ask_each([commands])
        return answers

    def ask_each(self, groups: Sequence[Sequence[Command]]) -> list[list[Any]]:
        """The answers to the commands of each group, in one round trip for all."""
        return [_answered(answers) for answers in self.try_each(groups)]

    def try_each(self, groups: Sequence[Sequence[Command]]) -> list[list[Any] | StoreUnavailable]:
        """The same; of a group that is asked of a server that is away, why it is.

        Raises `StoreUnavailable` where all are away, and what nobody mends by asking again.
        """
        self._ensure_open()
        commands = [command for group in groups for command in group]
        if not commands:
            return [[] for _ in groups]
        with translating(self.place):
            answers = iter(zip(commands, self._nodes.run(commands), strict=True))
        return [self._judged(list(islice(answers, len(group)))) for group in groups]

    def together(self, *commands: Command) -> Command:
        """One command that answers as `commands` do, with nothing done in between. They are about one partition."""
        keys = list(dict.fromkeys(str(command[1]) for command in commands))
        numbered = [(command[0], keys.index(str(command[1])) + 1, *map(str, command[2:])) for command in commands]
        return ("EVAL", self._asking, len(keys), *keys, _encoder.encode(numbered))

    def commit(self, write: Write) -> int | None:
        """Do all of `write`: the end of its log before it, or None if something it depends on has changed.

        What is to follow it is done after, as well as it can be.
        """
        (done,) = self.try_commit(write)
        return _answered(done)

    def try_commit(self, *writes: Write) -> list[int | StoreUnavailable | None]:
        """The same for each of several. What became of one whose server is away nobody knows; see `try_each`."""
        self._ensure_open()
        steps = [(len(keys := write.keys()), *keys, write.packed()) for write in writes]
        with translating(self.place):
            answers = self._nodes.run([("EVALSHA", self._digest, *step) for step in steps])
            unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                again = self._nodes.run([("EVAL", self._writing, *steps[number]) for number in unknown])
                for number, answer in zip(unknown, again, strict=True):
                    answers[number] = answer
        self._follow(
            write for write, answer in zip(writes, answers, strict=True) if type(answer) is int and answer >= 0
        )
        done = [
            self._judged([(("EVALSHA", "", 0, keys[1]), answer)]) for keys, answer in zip(steps, answers, strict=True)
        ]
        return [one if isinstance(one, StoreUnavailable) else None if one[0] < 0 else int(one[0]) for one in done]

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._closed = True
        self._nodes.close()

    def _judged(self, answered: Sequence[tuple[Command, Any]]) -> list[Any] | StoreUnavailable:
        for command, answer in answered:
            if isinstance(answer, RedisError):
                away = isinstance(answer, ConnectionError | TimeoutError)
                what = "" if away else f": {command[0]} {key_of(command)}"
                error = translated(answer, f"{self.place}{what}")
                if not isinstance(error, StoreUnavailable):
                    raise error from answer
                return error
        return [answer for _, answer in answered]

    def _follow(self, done: Iterable[Write]) -> None:
        following = [command for write in done for command in write.following]
        if not following:
            return
        try:
            self.ask(*following)
        except StoreError as error:
            if self._all_shown:
                log.warning("what others may see of the ratings is not complete: %s", error)
            self._all_shown = False
        else:
            self._all_shown = True

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.place}: the store was closed")


def _answered(answer: _T | StoreUnavailable) -> _T:
    if isinstance(answer, StoreUnavailable):
        raise answer
    return answer


def script(name: str) -> str:
    """One of the scripts beside this file."""
    return (resources.files(__package__) / "scripts" / name).read_text(encoding="utf-8")
