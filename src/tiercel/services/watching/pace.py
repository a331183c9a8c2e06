"""How many decisions are made a second, by all who share the store."""

from __future__ import annotations

from collections import deque

from tiercel.domain.decision import Decision
from tiercel.ports import Appended
from tiercel.services.learning.learner import Learner

WINDOW_S = 60.0
_SLOT_S = 1.0


class Pace:
    """Counts the decisions that are logged, for as long as `WINDOW_S` back. Costs the same whatever the pace."""

    def __init__(self, learner: Learner) -> None:
        self._clock = learner.clock
        self._began_s = learner.clock.monotonic_s()
        # (when a slot began, decisions in it): written by the one thread that learns
        self._slots: deque[tuple[float, int]] = deque(maxlen=int(WINDOW_S / _SLOT_S) + 1)
        self.close = learner.subscribe(self._learned)

    @property
    def per_s(self) -> float | None:
        """Over the last minute, or since the beginning where that is less; None in the first second."""
        now_s = self._clock.monotonic_s()
        elapsed_s = min(now_s - self._began_s, WINDOW_S)
        if elapsed_s < _SLOT_S:
            return None
        return sum(count for at_s, count in tuple(self._slots) if now_s - at_s <= WINDOW_S) / elapsed_s

    def _learned(self, learned: Appended) -> None:
        made = sum(1 for event in learned.accepted if isinstance(event, Decision))
        if not made:
            return
        now_s = self._clock.monotonic_s()
        if self._slots and now_s - self._slots[-1][0] < _SLOT_S:
            at_s, count = self._slots.pop()
            self._slots.append((at_s, count + made))
        else:
            self._slots.append((now_s, made))
