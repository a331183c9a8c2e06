"""Telling people of incidents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from tiercel.domain.alerts import Alert


class Tiding(NamedTuple):
    """One incident and what is told of it: "fired" or "resolved"."""

    occasion: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is told at once: one incident, or several together.

    `id` is the same when it is sent again, so that who receives it may drop the second. `at` is when it is sent.
    `severity` is the worst of what it tells.
    """

    id: str
    title: str
    body: str
    severity: str
    at: datetime
    tidings: tuple[Tiding, ...]


class Notifier(Protocol):
    """One way to reach people: a chat, a mailbox, a pager, a webhook."""

    def send(self, message: Message) -> None:
        """Send it, within some seconds. Raises `NotifyFailed`: in words without a secret."""
        ...

    def close(self) -> None:
        """Release what is held; idempotent."""
        ...
