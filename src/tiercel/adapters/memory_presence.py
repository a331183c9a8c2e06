"""Who is there, for as long as the process lives: the model that every other store has to match."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from tiercel.adapters.codec import decode_beat, encode_beat
from tiercel.domain.presence import Beat


class MemoryPresence:
    """The last beat of each agent. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[datetime, Beat]] = {}

    def beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        """See `Presence.beat`."""
        with self._lock:
            for said in beats:
                until = said.at + timedelta(seconds=ttl_s)
                held = self._held.get(said.agent_id)
                if held is None or held[0] <= until:
                    self._held[said.agent_id] = (until, decode_beat(encode_beat(said)))

    def beats(self, now: datetime) -> Sequence[Beat]:
        """See `Presence.beats`."""
        with self._lock:
            self._held = {agent_id: held for agent_id, held in self._held.items() if held[0] > now}
            return [self._held[agent_id][1] for agent_id in sorted(self._held)]
