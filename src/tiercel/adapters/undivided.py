"""Positions in a log of one partition."""

from __future__ import annotations

from tiercel.domain.errors import PositionLost
from tiercel.ports import START, Position


def place_of(position: Position) -> int:
    """How far one has read. Raises `PositionLost` for a position in a log that is divided otherwise."""
    if position == START:
        return 0
    if len(position) != 1:
        raise PositionLost
    return position[0]
