"""Who is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tiercel.domain.presence import Beat


class Presence(Protocol):
    """Who is there: what each agent said last, kept for a while and shared by all who share the store."""

    def beat(self, beats: Sequence[Beat], ttl_s: float) -> None:
        """Keep what agents said for `ttl_s` seconds, in place of what they said before. An older one changes nothing.

        Raises `StoreError`. Cost: one step in each store, however many beats.
        """
        ...

    def beats(self, now: datetime) -> Sequence[Beat]:
        """What is kept at `now`, by the agents' ids. Raises `StoreError`."""
        ...
