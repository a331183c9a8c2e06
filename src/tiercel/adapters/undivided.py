"""What stores have in common that have one part only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tiercel.domain.errors import PositionLost
from tiercel.domain.events import Event
from tiercel.ports import START, Position


def place_of(position: Position) -> int:
    """How far one has read. Raises `PositionLost` for a position in a log that is divided otherwise."""
    if position == START:
        return 0
    if len(position) != 1:
        raise PositionLost
    return position[0]


class Undivided:
    """A store that is there whole or not at all."""

    missing: Mapping[int, str] = MappingProxyType({})
    """See `Store.missing`."""

    def part_of(self, event: Event) -> int:  # noqa: ARG002 - there is one part only
        """See `EventStore.part_of`."""
        return 0
