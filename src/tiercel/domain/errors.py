"""Every error tiercel raises on purpose.

    TiercelError
    ├── InvalidInput (ValueError)            the caller's data: wrong type, out of range, missing
    │   └── ConfigurationError               the operator's file: every problem at once
    ├── NotFound (LookupError)
    │   ├── UnknownModel
    │   ├── UnknownAgent
    │   ├── UnknownDecision
    │   └── UnknownAlert
    ├── Conflict                             an idempotency key was used again with another body
    ├── NoEligibleModel                      nothing may serve this request, with a reason per model
    ├── MissingDependency (ImportError)      an optional library is needed; the message says which extra
    ├── StoreError
    │   ├── StoreUnavailable                 away, locked or full: try again later
    │   ├── StoreCorrupt                     the file is not what was written
    │   ├── PositionLost                     the log can no longer be followed from there: load the state again
    │   └── BufferFull                       the bounded buffer in front of the store overflowed
    ├── NotifyFailed                         people could not be told of an incident on some channel
    └── ProviderError                        a model call failed
        ├── ProviderUnreachable              no connection, or it broke before the first byte
        ├── ProviderTimeout (TimeoutError)   no answer in time
        ├── ProviderRejected                 an error status from the upstream
        └── ProviderProtocolError            an answer that is not what the protocol promises

`fault` says whose error it is: "caller", "operator", "store" or "provider".
`retryable` says whether the same call may succeed later without a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Fault = Literal["caller", "operator", "store", "provider"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with some input: where, what was found, and what is expected.

    `path` is a dotted path ("models[2].price_usd_per_mtok.input"); `kind` is a stable word a program may
    switch on: "missing", "type", "range", "unknown", "limit", "value".
    """

    path: str
    message: str
    found: str = ""
    kind: str = "value"

    def __str__(self) -> str:
        found = f" (found {self.found})" if self.found else ""
        return f"{self.path}: {self.message}{found}"


class TiercelError(Exception):
    """Something went wrong in tiercel."""

    fault: ClassVar[Fault] = "caller"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidInput(TiercelError, ValueError):
    """The input is not valid."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = (Problem("", problems),)
        self.problems = tuple(problems)
        super().__init__("; ".join(str(p) if p.path else p.message for p in self.problems))


class ConfigurationError(InvalidInput):
    """The configuration is not valid; `source` is the file it stands in, "" where it is in none."""

    fault = "operator"

    def __init__(self, problems: Sequence[Problem] | str, *, source: str = "") -> None:
        super().__init__(problems)
        self.source = source
        if source:
            self.args = (f"{source}: {self.args[0]}",)


class NotFound(TiercelError, LookupError):
    """There is nothing by that name."""


class UnknownModel(NotFound):
    """No model of that id is in the catalogue."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        super().__init__(f"no model {model_id!r} in the catalogue")


class UnknownAgent(NotFound):
    """No agent of that id is registered."""

    def __init__(self, agent_id: str) -> None:
        self.agent_id = agent_id
        super().__init__(f"no agent {agent_id!r} is registered")


class UnknownDecision(NotFound):
    """No decision of that id is in the log (never made, or past the retention)."""

    def __init__(self, decision_id: str) -> None:
        self.decision_id = decision_id
        super().__init__(f"no decision {decision_id!r} in the log")


class UnknownAlert(NotFound):
    """No alert of that id is in the history (never fired, past the retention, or older than the history goes)."""

    def __init__(self, alert_id: str) -> None:
        self.alert_id = alert_id
        super().__init__(f"no alert {alert_id!r} in the history")


class Conflict(TiercelError):
    """This id was used before with other content."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        super().__init__(f"id {record_id!r} was used before with other content")


class AlreadyDecided(Conflict):
    """This change is not in a state in which that may still be done to it."""

    def __init__(self, change_id: str, became: str) -> None:
        self.record_id = change_id
        TiercelError.__init__(self, f"change {change_id!r} {became}")


class NoEligibleModel(TiercelError):
    """No model may serve this request."""

    fault = "operator"
    retryable = True

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        listed = "; ".join(f"{model}: {why}" for model, why in self.reasons.items())
        super().__init__(f"no model may serve this request ({listed or 'the catalogue is empty'})")


class MissingDependency(TiercelError, ImportError):
    """An optional library is not installed."""

    fault = "operator"

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(f"{purpose} needs {library}: pip install 'tiercel[{extra}]'")


class StoreError(TiercelError):
    """The store failed."""

    fault = "store"


class StoreUnavailable(StoreError):
    """The store is away, locked or full."""

    retryable = True


class StoreCorrupt(StoreError):
    """The store's file is not what was written."""


class PositionLost(StoreError):
    """What happened after this position of the log can no longer be told event by event: load the state again."""

    retryable = True


class BufferFull(StoreError):
    """The buffer in front of the store is full; this record was not kept."""

    retryable = True


class NotifyFailed(TiercelError):
    """A channel did not take a message; `word` says why, short, stable and without a secret."""

    fault = "operator"
    retryable = True

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(f"the message was not taken: {word}")


class ProviderError(TiercelError):
    """A model call failed."""

    fault = "provider"
    retryable = True


class ProviderUnreachable(ProviderError):
    """The provider cannot be reached."""


class ProviderTimeout(ProviderError, TimeoutError):
    """The provider did not answer in time."""


class ProviderRejected(ProviderError):
    """The provider answered with an error status; `body` is what it said, for the caller's eyes only."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        self.status, self.body = status, body
        super().__init__(f"the provider answered with status {status}")


class ProviderProtocolError(ProviderError):
    """The provider's answer is not what the protocol promises."""
