"""`random`: every eligible model alike. Slow to please users, and the best log for evaluating other policies."""

from __future__ import annotations

from typing import ClassVar

from tiercel.core.policies.base import BasePolicy, Situation
from tiercel.domain.decision import Candidate, Proposal


class RandomPolicy(BasePolicy):
    """Uniform over the eligible models."""

    name: ClassVar[str] = "random"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "every eligible model with the same probability"

    def propose(self, situation: Situation) -> Proposal:
        """1/n each."""
        eligible = situation.eligible
        probability = 1.0 / len(eligible)
        candidates = tuple(Candidate(model.model_id, model.tier, probability) for model in eligible)
        return Proposal(candidates, eligible[0].model_id, f"one of {len(eligible)}, each alike")
