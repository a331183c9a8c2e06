"""Who is told of every call and every rating: traces and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.events import Feedback, Outcome


class CallTrace(Protocol):
    """One model call that is told of."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the request upstream carries, so that what is traced there belongs to this call."""
        ...

    def ended(self, outcome: Outcome | None, *, status: int = 0, response_model: str = "") -> None:
        """The call has ended: with an outcome, or with a status that says the request is wrong. Once."""
        ...


class Telemetry(Protocol):
    """Is told of calls and ratings. Thread-safe; never waits, never raises, and keeps what it has in bounds.

    It is told no prompts, answers, users, agents or sessions, and passes on none.
    """

    def call(self, decision: Decision, model: ModelProfile, *, parent: Mapping[str, str], stream: bool) -> CallTrace:
        """A model is called now because of `decision`; `parent` are the caller's headers of trace context."""
        ...

    def rated(self, feedback: Feedback) -> None:
        """A rating is in the log, or will be."""
        ...

    def close(self) -> None:
        """Send what is there, for a few seconds at most; idempotent."""
        ...
