"""Tier recommendations of many stages, asked of the log no more often than they can have changed."""

from __future__ import annotations

from tiercel.domain.quality import TierRecommendation
from tiercel.domain.request import stage_segment
from tiercel.services.deciding.recently import Recently
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.feedback_loop import FeedbackService

FRESH_S = 5.0
"""An answer is not asked for again within this time, whatever was rated meanwhile."""
STALE_S = 60.0
"""Nor, where nothing was learned of the stage, within this time: only ratings that grow too old can change it."""
_REMEMBERED = 10_000

Version = tuple[int, int]


class Advice:
    """What `quality` recommends, at most `FRESH_S` old. Thread-safe."""

    def __init__(self, quality: FeedbackService, learner: Learner) -> None:
        self._quality = quality
        self._learner = learner
        self._held: Recently[tuple[str, str], tuple[Version, float, TierRecommendation]] = Recently(_REMEMBERED)

    def of(self, workflow: str, stage: str) -> TierRecommendation:
        """Whether the stage should keep its tier. Raises `StoreError` where the log has to be asked and cannot be."""
        now_s = self._learner.clock.monotonic_s()
        version = self._learner.knowledge.version_of(stage_segment(workflow, stage))
        held = self._held.get((workflow, stage))
        if held is not None:
            learned, at_s, advice = held
            if now_s - at_s < (STALE_S if learned == version else FRESH_S):
                return advice
        advice = self._quality.recommend_tier(workflow, stage)
        self._held[workflow, stage] = (version, now_s, advice)
        return advice
