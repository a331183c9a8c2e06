"""That an agent is alive, and what it is doing: said by the agent itself, every ten seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

BEAT_S = 10.0
"""How often an agent says that it is alive."""
BEAT_TTL_S = 30.0
"""How long it is believed."""


class BeatStatus(StrEnum):
    """What an agent says of its work."""

    STARTING = "starting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = frozenset({BeatStatus.STARTING, BeatStatus.RUNNING})
"""The statuses of an agent that is at work; after the others it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What an agent said last. `at` is when it was heard; `progress` is in 0..1, None where the agent does not say."""

    agent_id: str
    status: str
    at: datetime
    progress: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def age_s(self, now: datetime) -> float:
        """How long ago it was heard; 0 where another machine's clock is ahead."""
        return max((now - self.at).total_seconds(), 0.0)
