"""What is done about alerts: somebody acknowledges one, and people are told of it. Each is an event of the log.

An incident is one alert from its firing to its end. A notice is one message about it on one channel: claimed before it
is sent, by the process whose claim the log accepts, and then sent or failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tiercel.domain.request import Segment

ALERTS: Segment = ("alerts",)
"""The segment of all that is done about alerts, so that it has one order, the same for everyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody has seen an alert and takes care of it. The first one stands."""

    alert_id: str
    recorded_at: datetime
    by: str
    note: str = ""

    @property
    def id(self) -> str:
        """One for each alert."""
        return f"{self.alert_id}/acknowledged"

    @property
    def segment(self) -> Segment:
        """Where all that is done about alerts is: in one place."""
        return ALERTS


class Occasion(StrEnum):
    """What people are told of an incident."""

    FIRED = "fired"
    RESOLVED = "resolved"


class NoticeState(StrEnum):
    """How far a notice is."""

    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """How far telling a channel of an incident is. `attempt` counts from 1; `error` is a short word, never a secret.

    `claim` is what the log accepts once, of a claim; what follows of it is known by the attempt.
    """

    alert_id: str
    occasion: str
    channel: str
    recorded_at: datetime
    state: str
    attempt: int
    claim: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        """Of a claim what it claims; else unique per channel, alert, occasion, attempt and state."""
        told = (self.channel, self.alert_id, self.occasion, str(self.attempt), self.state)
        return self.claim or "\x1f".join(told)

    @property
    def segment(self) -> Segment:
        """Where all that is done about alerts is: in one place."""
        return ALERTS
