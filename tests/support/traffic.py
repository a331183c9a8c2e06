"""Steady traffic through a router, whatever becomes of its store."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from support.waiting import until
from tiercel.library.router import Router

PACE_S = 0.002


class Traffic:
    """Calls that are decided, answered and rated, one after another. `took_s`: how long each decision took.

    A `control` is called in turn: what the machine does to the one it does to the other.
    """

    def __init__(self, router: Router, name: str, *, control: Router | None, pace_s: float, stage: str) -> None:
        self.took_s = array("d")
        self.control_s = array("d")
        self.failures: list[Exception] = []
        self._router = router
        self._control = control
        self._name = name
        self._stage = stage
        self._pace_s = pace_s
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def more(self, calls: int) -> None:
        """Wait until so many more were decided."""
        goal = len(self.took_s) + calls
        until(lambda: len(self.took_s) >= goal or self.failures)

    def last(self, seconds: float) -> None:
        """Wait so long, while calls go on."""
        self._enough.wait(seconds)

    def stop(self) -> None:
        """End it and wait for its end."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(self._pace_s):
            try:
                if self._control is not None:
                    self._call(self._control, self.control_s)
                self._call(self._router, self.took_s)
            except Exception as failure:  # noqa: BLE001 - any failure is one too many; the test asks for them
                self.failures.append(failure)
                return

    def _call(self, router: Router, took_s: array[float]) -> None:
        began_s = time.perf_counter()
        decision = router.decide("review", self._stage, prompt="sort these", requires=("general",))
        took_s.append(time.perf_counter() - began_s)
        router.begin_outcome(decision.id, success=True, latency_ms=100.0, prompt_tokens=10, completion_tokens=5)
        router.begin_feedback(decision.id, 0.75, source=self._name, id=f"{self._name}/{len(took_s)}")


@contextmanager
def traffic(
    router: Router,
    name: str = "user:1",
    *,
    control: Router | None = None,
    pace_s: float = PACE_S,
    stage: str = "analysis",
) -> Iterator[Traffic]:
    """Traffic that flows until the end of the block."""
    flowing = Traffic(router, name, control=control, pace_s=pace_s, stage=stage)
    flowing.start()
    try:
        yield flowing
    finally:
        flowing.stop()


def p99_ms(took_s: Sequence[float]) -> float:
    """The 99th percentile in milliseconds."""
    return sorted(took_s)[len(took_s) * 99 // 100] * 1e3


def longest_ms(took_s: Sequence[float]) -> float:
    """In milliseconds."""
    return max(took_s) * 1e3
