"""Noticing that a model is not what it was: a two-sided CUSUM of how its ratings differ from what was expected.

Page: "Continuous inspection schemes" (Biometrika 41, 1954). With e the rating minus its expectation, in standard
deviations and clipped, for either direction

    S <- max(0, S + e - drift)        alarm when S > threshold

A rating that everybody's answers share in (the judge became strict) is no change of one model: the common part of the
newest differences, as far as it is certain, is taken off first, and an alarm is raised only for a model that moved away
from the others. (What is uncertain or long ago must not be: one model's bad luck would be another's change.)

What is watched here is any figure in standard deviations: ratings by the policy that learns, and what calls take and
ratings say by `shift_detector.py`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

DRIFT = 0.4
THRESHOLD = 15.0
MENDED = 5.0
"""The threshold for a model that got worse to be called mended: a mistake costs a few trials."""
CLIP = 3.0
FIRST_SAMPLES = 30
"""So many ratings of a model are needed before it can be said to have changed."""
_SHRUNK = 3.0
_COMMON_OF = 20
"""So many ratings of each other model say what is common to all."""
_CERTAIN = 1.5
"""Standard errors from 0 that are taken for no chance."""
_COMMON_SINCE = 200
"""What was said longer ago than so many ratings of any model says nothing of now."""
_OVERSHOOT = 1.166
"""By so much, in two crossings, a sum of normal steps is beyond its threshold on average when it crosses it."""


def threshold_for(false_alarms_per_million: float, drift: float = DRIFT, *, sides: int = 2) -> float:
    """The threshold at which a CUSUM of so many sides, of normal figures that do not change, gives that many alarms.

    A side's mean number of samples until an alarm is (exp(2 d b) - 2 d b - 1) / (2 d^2), with d the drift and
    b = threshold + 1.166 (Siegmund, "Sequential Analysis", 1985, chapter 2). `false_alarms_per_million` samples is
    above 0 and below 10,000.
    """
    samples = sides * 1e6 / false_alarms_per_million
    low, high = 0.0, 200.0 / drift
    while high - low > 1e-6:
        middle = (low + high) / 2
        exponent = 2.0 * drift * middle
        if (math.exp(min(exponent, 500.0)) - exponent - 1.0) / (2.0 * drift * drift) < samples:
            low = middle
        else:
            high = middle
    return max(0.0, high - _OVERSHOOT)


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


class _Rating(NamedTuple):
    """The how-manieth of all ratings it was, by how much it was above its expectation, and the variance of that."""

    number: int
    difference: float
    variance: float


@dataclass(slots=True)
class _Watch:
    wait: int
    fallen: bool = False
    up: _Side = field(default_factory=_Side)
    down: _Side = field(default_factory=_Side)
    recent: deque[_Rating] = field(default_factory=lambda: deque(maxlen=_COMMON_OF))
    surely: float | None = None
    """The mean of `recent`, 0 where it may be chance; None of too little."""

    def note(self, rating: _Rating) -> None:
        recent = self.recent
        recent.append(rating)
        while rating.number - recent[0].number >= _COMMON_SINCE:
            recent.popleft()
        count = len(recent)
        if count >= _COMMON_OF // 2:
            mean = sum([one.difference for one in recent]) / count
            error = math.sqrt(sum([one.variance for one in recent])) / count
            self.surely = mean if abs(mean) > _CERTAIN * error else 0.0
        else:
            self.surely = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A model's quality moved by `shift`, as its last `samples` ratings say, `strength` standard deviations summed."""

    model: str
    shift: float
    samples: int
    strength: float


class DriftWatch:
    """Watches the ratings of every model; a few microseconds each.

    Beyond `threshold` a model has changed; beyond `mended` one that is known to have fallen is better again. The first
    `first_samples` of a model say what is common to all, and raise no alarm.
    """

    def __init__(
        self, threshold: float = THRESHOLD, *, mended: float = MENDED, first_samples: int = FIRST_SAMPLES
    ) -> None:
        self._threshold = threshold
        self._mended = mended
        self._first_samples = first_samples
        self._watches: dict[str, _Watch] = {}
        self._ratings = 0

    def add(self, model: str, difference: float, variance: float) -> Alarm | None:
        """Take note of a rating that was `difference` above its expectation, which has that `variance`."""
        watch = self._watches.get(model)
        if watch is None:
            watch = self._watches[model] = _Watch(self._first_samples)
        own = difference - self._common(model)
        self._ratings += 1
        watch.note(_Rating(self._ratings, difference, variance))
        if watch.wait > 0:
            watch.wait -= 1
            return None
        step = max(-CLIP, min(CLIP, own / math.sqrt(max(variance, 1e-6))))
        watch.up.add(step - DRIFT, own)
        watch.down.add(-step - DRIFT, own)
        for side in (watch.up, watch.down):
            threshold = self._mended if watch.fallen and side is watch.up else self._threshold
            if side.total > threshold:
                shift = side.differences / (side.samples + _SHRUNK)
                self.reset(model, fallen=shift < 0)
                return Alarm(model, shift, side.samples, side.total)
        return None

    def reset(self, model: str, *, fallen: bool) -> None:
        """Start anew: the model is known to have changed, for the worse where it has `fallen`."""
        self._watches[model] = _Watch(wait=0 if fallen else self._first_samples, fallen=fallen)

    def forget(self, model: str) -> None:
        """Drop what is held of a model."""
        self._watches.pop(model, None)

    def __len__(self) -> int:
        return len(self._watches)

    def _common(self, model: str) -> float:
        """By how much everybody's newest ratings surely were above expectation; 0 where too few others were rated."""
        since = self._ratings - _COMMON_SINCE
        means = sorted(
            watch.surely
            for name, watch in self._watches.items()
            if name != model and watch.surely is not None and watch.recent[-1].number > since
        )
        if len(means) < 2:
            return 0.0
        low, high = means[(len(means) - 1) // 2], means[len(means) // 2]
        return (low + high) / 2 if low * high > 0 else 0.0
