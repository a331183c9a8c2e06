"""How often an address may sign in with keys that do not exist."""

from __future__ import annotations

import math
from collections import OrderedDict

from tiercel.apps.gateway.errors import HttpError
from tiercel.ports import Clock

FAILURES = 10
WINDOW_S = 60.0
ADDRESSES = 1024
"""Whose failures are remembered, the latest first; what an attacker with more addresses gains is of no use against keys
of 16 characters and more."""


class LoginLimit:
    """Counts failures by address, in windows that begin with the first failure."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def check(self, address: str) -> None:
        """Refuse an address that failed too often with 429, whatever key it has now."""
        count, since_s = self._failures.get(address, (0, 0.0))
        left_s = since_s + WINDOW_S - self._clock.monotonic_s()
        if count >= FAILURES and left_s > 0:
            wait = {"retry-after": str(math.ceil(left_s))}
            raise HttpError(429, "too many attempts to sign in; wait", "rate_limited", headers=wait)

    def failed(self, address: str) -> None:
        """Count a failure."""
        now_s = self._clock.monotonic_s()
        count, since_s = self._failures.pop(address, (0, now_s))
        if now_s - since_s >= WINDOW_S:
            count, since_s = 0, now_s
        self._failures[address] = (count + 1, since_s)
        if len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)
