"""An LLM judge, as far as it is pure: its settings, what it is asked, and how its reply is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JUDGE_SOURCE = "judge:"
"""What the source of a judge's ratings begins with; the judge's model follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """A route's judge: the model that grades a share `rate` (0 < rate <= 1) of the route's answers.

    `rubric` says what a good answer is ("": `DEFAULT_RUBRIC`). `max_calls_per_minute` bounds the calls to the judge
    (None: nothing but `rate` does). `options` go to the judge's model as they are (temperature, max_tokens ...).
    """

    model: str
    rate: float = 0.1
    rubric: str = ""
    max_calls_per_minute: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The source of this judge's ratings."""
        return JUDGE_SOURCE + self.model
