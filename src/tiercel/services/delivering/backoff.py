"""When a store that is away is tried again: later each time, and not by all processes at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from math import inf


def no_jitter() -> float:
    """Retries at their latest."""
    return 1.0


class Backoff:
    """Pauses that double from `first_s` to `last_s`; each is between half of that and all of it.

    `jitter` gives a number in [0, 1] whenever it is asked. `error` is what the store said last, "" while it answers.
    """

    def __init__(self, first_s: float, last_s: float, jitter: Callable[[], float]) -> None:
        self.error = ""
        self.retry_at_s = -inf
        self._first_s = first_s
        self._last_s = last_s
        self._delay_s = first_s
        self._jitter = jitter

    def failed(self, why: str, now_s: float) -> None:
        """The store is away."""
        self.error = why
        self.retry_at_s = now_s + self._delay_s * (0.5 + self._jitter() / 2)
        self._delay_s = min(self._delay_s * 2, self._last_s)

    def succeeded(self) -> None:
        """The store answers."""
        self.error = ""
        self._delay_s = self._first_s
        self.retry_at_s = -inf

    def forget(self) -> None:
        """Try again with the next step, whenever that was due."""
        self.retry_at_s = -inf
