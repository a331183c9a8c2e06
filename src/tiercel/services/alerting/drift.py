"""Drift: what calls take and ratings say is watched as it is learned; what is found is logged, and stands as an alert.

    learner -> samples -> ShiftDetector -> Shift -> StandingChange in the log -> policies forget faster
                                                `-> breach, until it is over -> Alerting

Processes that share a log see the same samples and find the same; the first to log a shift has found it. A process that
starts takes over the shifts that stand, and learns anew what is usual.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import replace

from tiercel.core.alerts.rules import Breach
from tiercel.core.beliefs.forgetting import METRICS, POLICIES, Metric, drift_place
from tiercel.core.beliefs.shift import DriftSettings, Shift, State
from tiercel.core.beliefs.shift_detector import ShiftDetector
from tiercel.core.drift_records import breach_of, key_of, samples_of, shift_of, standing_of
from tiercel.domain.alerts import AlertKey
from tiercel.domain.events import StandingChange
from tiercel.domain.request import Segment
from tiercel.ports import Appended
from tiercel.services.learning.learner import Learner

log = logging.getLogger("tiercel.drift")


class DriftWatching:
    """Follows `learner`; some 20 us for each figure of a call or a rating. Thread-safe."""

    def __init__(self, learner: Learner, settings: DriftSettings | None = None) -> None:
        self.settings = settings or DriftSettings()
        self.found: Counter[Metric] = Counter()
        self._learner = learner
        self._detector = ShiftDetector(self.settings)
        self._untold: list[Shift] = []
        # of what was left to be logged; the store may be away
        self._revisions: dict[tuple[Metric, Segment, str], int] = {}
        self._lock = threading.Lock()
        with self._lock:
            self._stop = learner.subscribe(self._learned)
            self._take_over()

    @property
    def open(self) -> list[Shift]:
        """The shifts that stand, those of one model in all segments first."""
        with self._lock:
            return sorted(self._detector.open, key=lambda shift: shift.place)

    def breaches(self, now_us: int) -> dict[AlertKey, Breach]:
        """What has drifted and is not over, for alerts. What was found since the last time is left to be logged."""
        with self._lock:
            if self._epoch != self._learner.knowledge.epoch:
                self._take_over()
            # what was found and is over already is told as that
            untold = {shift.place: shift for shift in (*self._untold, *self._detector.settle(now_us))}.values()
            self._untold = []
            seen = {key_of(shift): breach_of(shift) for shift in self._detector.open}
        for shift in untold:
            self._tell(shift)
        return seen

    def close(self) -> None:
        """Stop following the learner; idempotent. The learner is not closed."""
        self._stop()

    def _take_over(self) -> None:
        """What stands, from before this process or from what others logged while it did not listen."""
        knowledge = self._learner.knowledge
        self._epoch = knowledge.epoch
        for metric in self.settings.metrics:
            for standing in knowledge.standings(POLICIES[metric]):
                self._adopt(shift_of(standing))

    def _tell(self, shift: Shift) -> None:
        place = drift_place(shift.segment, shift.model_id)
        held = self._learner.knowledge.standing(POLICIES[shift.metric], place)
        told = 0 if held is None else int(held.evidence.get("turns", 0))
        if held is not None and told >= shift.turns and held.current == shift.state:
            return  # another process was first
        # the detector forgets what it did not hear of for long; what calls cost is counted in turns, which go on only
        shift = replace(shift, turns=max(shift.turns, told + (shift.state is not State.SETTLED)))
        revision = max(held.revision if held is not None else 0, self._revisions.get(shift.place, 0)) + 1
        self._revisions[shift.place] = revision
        standing = standing_of(shift, held.current if held is not None else State.STEADY, revision)
        log.info("%s", standing.reason)
        self._learner.leave(standing)

    def _learned(self, learned: Appended) -> None:
        with self._lock:
            for event in learned.accepted:
                if isinstance(event, StandingChange) and METRICS.get(event.policy) in self.settings.metrics:
                    self._adopt(shift_of(event))
                    continue
                for sample in samples_of(event):
                    if sample.metric in self.settings.metrics:
                        self._turned(self._detector.add(sample))

    def _adopt(self, told: Shift) -> None:
        self._detector.adopt(told)
        # what was found before that, and is not logged yet, is no news any more
        self._untold = [shift for shift in self._untold if shift.place != told.place or shift.turns > told.turns]

    def _turned(self, shifts: list[Shift]) -> None:
        self._untold += shifts
        self.found.update(shift.metric for shift in shifts if shift.state is State.DRIFTED)
