"""Public fakes for tests of programs that use tiercel: a manual clock, a seeded generator, a scripted provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Where a `ManualClock` starts."""


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds advanced since the start."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds

    def step(self, seconds: float) -> None:
        """Step the time of day without any time passing, as a corrected wall clock does."""
        self._now += timedelta(seconds=seconds)
