"""A change of what serves a segment that waits for a human's yes, or is rolled out step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tiercel.domain.request import Segment

AUTOMATIC = "tiercel"
"""Who decided where no human did."""
GATE = "gate"
"""The policy name under which the steps of wanted changes stand."""
POLICY_SWITCH = "policy"
"""The name under which it stands which policy serves a segment, where one is handed over to another."""


class ChangeStatus(StrEnum):
    """How far a wanted change is. `EXPIRED` counts as rejected: nobody answered in time, or nobody wants it any more.

    `APPROVED` is the end where the change then applies at once, and a step on the way where it is rolled out.
    """

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ROLLING = "rolling"
    DONE = "done"
    ROLLED_BACK = "rolled-back"


class Interval(NamedTuple):
    """Bounds on by how much quality the new one is better (points of 0..1; negative: worse)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A wanted change and what became of it.

    `policy` wants it, `previous` to `current`, for the `reason` and with the `confidence` (0..1) and the `evidence` it
    had then; `wanted` is the revision the change will have under that policy. `rollout` says whether it is rolled out.

    `revision` counts the steps of a segment's changes; `stepped_at` is when the last one was made and `step_reason`
    why. `decided_by` answered or stopped it, at `decided_at`, with the words in `note` ("" while nobody has). While it
    is rolled out `share` (0..1) of the requests are decided as if it were made. `alpha` is how likely each bound
    of the comparison at this share may be wrong. Times are aware UTC.
    """

    id: str
    segment: Segment
    policy: str
    previous: str
    current: str
    reason: str
    confidence: float
    wanted: int
    revision: int
    status: ChangeStatus
    rollout: bool
    requested_at: datetime
    stepped_at: datetime
    step_reason: str
    actor: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""
    share: float = 0.0
    alpha: float = 0.0

    @property
    def under_way(self) -> bool:
        """Whether something is still to happen to it."""
        approved = self.status is ChangeStatus.APPROVED and self.rollout
        return approved or self.status in (ChangeStatus.PENDING, ChangeStatus.ROLLING)

    @property
    def granted(self) -> bool:
        """Whether it is to apply to every request."""
        return self.status is ChangeStatus.DONE or (self.status is ChangeStatus.APPROVED and not self.rollout)

    @property
    def refused(self) -> bool:
        """Whether it is over and does not apply."""
        return not (self.under_way or self.granted)

    def overdue(self, now: datetime) -> bool:
        """Whether it waits for an answer that did not come in time."""
        return self.status is ChangeStatus.PENDING and self.expires_at is not None and now >= self.expires_at
