"""Noticing that a model is not what it was: a two-sided CUSUM of how its ratings differ from what was expected.

Page: "Continuous inspection schemes" (Biometrika 41, 1954). With e the rating minus its expectation, in standard
deviations and clipped, for either direction

    S <- max(0, S + e - drift)        alarm when S > threshold

A rating that everybody's answers share in (the judge became strict) is no change of one model: the common part of the
newest differences is taken off first, and an alarm is raised only for a model that moved away from the others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

DRIFT = 0.4
THRESHOLD = 15.0
MENDED = 5.0
"""The threshold for a model that got worse to be called mended: a mistake costs a few trials."""
CLIP = 3.0
FIRST_SAMPLES = 30
"""So many ratings of a model are needed before it can be said to have changed."""
_SHRUNK = 3.0
_RECENT = 40
_COMMON_FROM = 3
_COMMON_OF = 20


@dataclass(slots=True)
class _Side:
    """One direction: the sum, and the differences since it was last 0."""

    total: float = 0.0
    samples: int = 0
    differences: float = 0.0

    def add(self, step: float, difference: float) -> None:
        self.total = max(0.0, self.total + step)
        if self.total == 0.0:
            self.samples, self.differences = 0, 0.0
        else:
            self.samples += 1
            self.differences += difference


@dataclass(slots=True)
class _Watch:
    wait: int = FIRST_SAMPLES
    fallen: bool = False
    up: _Side = field(default_factory=_Side)
    down: _Side = field(default_factory=_Side)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A model's quality moved by `shift`, as its last `samples` ratings say, `strength` standard deviations summed."""

    model: str
    shift: float
    samples: int
    strength: float


class DriftWatch:
    """Watches the ratings of every model; a few microseconds each."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self._watches: dict[str, _Watch] = {}

    def add(self, model: str, difference: float, variance: float) -> Alarm | None:
        """Take note of a rating that was `difference` above its expectation, which has that `variance`."""
        watch = self._watches.setdefault(model, _Watch())
        own = difference - self._common(model)
        watch.recent.append(difference)
        if watch.wait > 0:
            watch.wait -= 1
            return None
        step = max(-CLIP, min(CLIP, own / math.sqrt(max(variance, 1e-6))))
        watch.up.add(step - DRIFT, own)
        watch.down.add(-step - DRIFT, own)
        for side in (watch.up, watch.down):
            threshold = MENDED if watch.fallen and side is watch.up else self._threshold
            if side.total > threshold:
                shift = side.differences / (side.samples + _SHRUNK)
                self.reset(model, fallen=shift < 0)
                return Alarm(model, shift, side.samples, side.total)
        return None

    def reset(self, model: str, *, fallen: bool) -> None:
        """Start anew: the model is known to have changed, for the worse where it has `fallen`."""
        self._watches[model] = _Watch(wait=0 if fallen else FIRST_SAMPLES, fallen=fallen)

    def _common(self, model: str) -> float:
        """By how much everybody's newest ratings were above expectation; 0 where too few others were rated."""
        others = [w.recent for m, w in self._watches.items() if m != model and len(w.recent) >= _COMMON_OF // 2]
        if len(others) < _COMMON_FROM - 1:
            return 0.0
        means = sorted(sum(list(recent)[-_COMMON_OF:]) / min(len(recent), _COMMON_OF) for recent in others)
        return means[len(means) // 2] if len(means) % 2 else 0.5 * (means[len(means) // 2 - 1] + means[len(means) // 2])
