"""Who is there: a key with a time to live for each agent, and an index of them, in one partition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tiercel.adapters.codec import decode_beat, encode_beat
from tiercel.adapters.redis_store.keys import Keys
from tiercel.adapters.redis_store.server import Server, script
from tiercel.core.statistics.fold import micros
from tiercel.domain.presence import Beat

_MS_PER_S, _US_PER_S = 1_000, 1_000_000
_AT_ONCE = 500


class RedisPresence:
    """The last beat of each agent. Thread-safe. One round trip to write, two to read."""

    def __init__(self, server: Server, keys: Keys) -> None:
        self._server = server
        self._keys = keys
        self._script = script("beat.lua")

    def beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        """See `Presence.beat`."""
        for start in range(0, len(beats), _AT_ONCE):
            self._beat(beats[start : start + _AT_ONCE], ttl_s)

    def beats(self, now: datetime) -> Sequence[Beat]:
        """See `Presence.beats`."""
        (members,) = self._server.ask(("ZRANGEBYSCORE", self._keys.beating.name, f"({micros(now)}", "+inf"))
        agents = sorted(member.decode() for member in members)
        bodies = self._server.ask(*(("GET", self._keys.beat(agent_id).name) for agent_id in agents))
        return [decode_beat(body) for body in bodies if body is not None]

    def _beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        keys = [self._keys.beating, *(self._keys.beat(said.agent_id) for said in beats)]
        told: list[str | bytes | int] = [round(ttl_s * _MS_PER_S), max(micros(said.at) for said in beats)]
        for said in beats:
            told += [said.agent_id, micros(said.at) + round(ttl_s * _US_PER_S), encode_beat(said)]
        self._server.ask(("EVAL", self._script, len(keys), *(key.name for key in keys), *told))
