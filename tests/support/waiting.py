"""Waiting for what other threads and processes do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

DEADLINE_S = 30.0


def until(condition: Callable[[], object], *, within_s: float = DEADLINE_S) -> float:
    """Wait until `condition` holds; how long that took in seconds."""
    began_s = time.monotonic()
    pause = threading.Event()
    while not condition():
        assert time.monotonic() - began_s < within_s, f"not within {within_s} s"
        pause.wait(0.002)
    return time.monotonic() - began_s
