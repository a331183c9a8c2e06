"""One Redis server: several commands per round trip, and the script that writes."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from tiercel.adapters.redis_store.errors import translated, translating
from tiercel.adapters.redis_store.keys import Key
from tiercel.domain.errors import StoreUnavailable

Argument = str | bytes | int | tuple[str, int]
"""Of a command that writes: an int n is the n-th position after the log's end, a pair a text followed by it."""

DEFAULT_NAME = "tiercel"
_MANY = frozenset(("HSET", "HDEL", "ZADD", "ZREM", "SADD", "SREM", "RPUSH", "XDEL"))
"""Commands that take any number of what they add or remove."""

_MAX_ARGUMENTS = 1_000
"""Of one command: Lua unpacks no more than some thousands. Even, as fields and values come in pairs."""

_encoder = msgspec.msgpack.Encoder()


class Write:
    """What is written in one step, and what must still hold for it."""

    def __init__(self, progress: Key) -> None:
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
    """The server at `url`, from any thread. Raises `StoreError`s; tries nothing twice, for its callers do.

    `timeout_s` bounds each wait for the network: a server that is frozen holds nobody up for longer.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self.name = parse_qs(parts.query).get("name", [DEFAULT_NAME])[0]
        self.place = urlunsplit(parts._replace(netloc=host))
        self._closed = False
        script = resources.files(__package__) / "scripts" / "commit.lua"
        self._script = script.read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()
        # its stubs know no execute_command
        self._client: Any = Redis.from_url(
            urlunsplit(parts._replace(query="")),
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )

    def ask(self, *commands: tuple[Any, ...], at_once: bool = False) -> list[Any]:
        """The answers to `commands`, in one round trip; `at_once` lets no other command come in between."""
        self._ensure_open()
        if not commands:
            return []
        with translating(self.place), self._client.pipeline(transaction=at_once) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, RedisError):
                raise translated(answer, f"{self.place}: {command[0]} {command[1]}") from answer
        return answers

    def commit(self, write: Write) -> int | None:
        """Do all of `write`; the end of the log before it. None if something it depends on has changed."""
        self._ensure_open()
        keys = write.keys()
        arguments: list[Any] = [len(keys), *keys, write.packed()]
        with translating(self.place):
            try:
                before = self._client.execute_command("EVALSHA", self._digest, *arguments)
            except NoScriptError:
                before = self._client.execute_command("EVAL", self._script, *arguments)
        return None if before < 0 else int(before)

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._closed = True
        self._client.close()

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.place}: the store was closed")
