"""What is done about alerts: somebody acknowledges one, and people are told of it. Each is an event of the log.

An incident is a condition from its first alert to its end; while it lasts, its alert may fire again or become worse. A
notice is a message about it on one channel: claimed before it is sent, by the process whose claim the log accepts, and
then sent or failed.
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
    """How far a notice is. Closed: nobody is told, and nobody needs to be."""

    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """How far telling a channel of an incident is.

    `subject` is what the incident is about (an `AlertKey` in JSON), `alert_id` its alert. `attempt` counts from 1;
    `error` is a short word, never a secret. `claim` is what the log accepts once, where several may claim the same
    about alerts of their own.
    """

    channel: str
    subject: str
    alert_id: str
    severity: str
    occasion: str
    recorded_at: datetime
    state: str
    attempt: int = 1
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
