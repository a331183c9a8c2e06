"""Where time comes from."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never step back; for durations."""
        ...
