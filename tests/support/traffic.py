"""Steady traffic through a router, whatever becomes of its store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from support.waiting import until
from tiercel.library.router import Router

PACE_S = 0.002


class Traffic:
    """Calls that are decided, answered and rated, one after another. `took_s`: how long each decision took."""

    def __init__(self, router: Router, name: str) -> None:
        self.took_s: list[float] = []
        self.failures: list[Exception] = []
        self._router = router
        self._name = name
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def more(self, calls: int) -> None:
        """Wait until so many more were decided."""
        goal = len(self.took_s) + calls
        until(lambda: len(self.took_s) >= goal or self.failures)

    def stop(self) -> None:
        """End it and wait for its end."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(PACE_S):
            try:
                self._call()
            except Exception as failure:  # noqa: BLE001 - any failure is one too many; the test asks for them
                self.failures.append(failure)
                return

    def _call(self) -> None:
        began_s = time.perf_counter()
        decision = self._router.decide("review", "analysis", prompt="sort these", requires=("general",))
        self.took_s.append(time.perf_counter() - began_s)
        self._router.begin_outcome(decision.id, success=True, latency_ms=100.0, prompt_tokens=10, completion_tokens=5)
        self._router.begin_feedback(decision.id, 0.75, source=self._name, id=f"{self._name}/{len(self.took_s)}")


@contextmanager
def traffic(router: Router, name: str = "user:1") -> Iterator[Traffic]:
    """Traffic that flows until the end of the block."""
    flowing = Traffic(router, name)
    flowing.start()
    try:
        yield flowing
    finally:
        flowing.stop()
