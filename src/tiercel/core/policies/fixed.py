"""`fixed`: always the same model. The baseline every other policy is held against."""

from __future__ import annotations

from typing import ClassVar

from tiercel.core.policies.base import BasePolicy, Situation, mixture
from tiercel.domain.decision import Proposal


class FixedPolicy(BasePolicy):
    """The named model where it is eligible, else the first eligible one."""

    name: ClassVar[str] = "fixed"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "always the same model"

    def __init__(self, model: str = "") -> None:
        self.model = model

    def propose(self, situation: Situation) -> Proposal:
        """All the probability on one model."""
        eligible = situation.eligible
        if any(model.model_id == self.model for model in eligible):
            return mixture(eligible, self.model, {}, 0.0, reason="the configured model")
        reason = f"{self.model} is not eligible: the first that is" if self.model else "the first eligible model"
        return mixture(eligible, eligible[0].model_id, {}, 0.0, reason=reason)
