"""What tiercel needs from outside, as narrow protocols: stores, providers, a clock. Adapters implement them."""

from tiercel.ports.calls import NO_HEADERS, ByteStream, Provider, ProviderResponse
from tiercel.ports.clock import Clock
from tiercel.ports.copies import Archive, Mark, Outbox
from tiercel.ports.notifying import Message, Notifier, Tiding
from tiercel.ports.presence import Presence
from tiercel.ports.stores import (
    START,
    Appended,
    DecisionRecord,
    EventStore,
    Fold,
    Position,
    Span,
    StateStore,
    Store,
)
from tiercel.ports.telemetry import CallTrace, Telemetry

__all__ = [
    "NO_HEADERS",
    "START",
    "Appended",
    "Archive",
    "ByteStream",
    "CallTrace",
    "Clock",
    "DecisionRecord",
    "EventStore",
    "Fold",
    "Mark",
    "Message",
    "Notifier",
    "Outbox",
    "Position",
    "Presence",
    "Provider",
    "ProviderResponse",
    "Span",
    "StateStore",
    "Store",
    "Telemetry",
    "Tiding",
]
