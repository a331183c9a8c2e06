"""The calls that this process waits for, per model."""

from __future__ import annotations


class InFlight:
    """Counts calls by what they are, so that one that ends twice is taken out once. Any thread may ask."""

    def __init__(self) -> None:
        self._calls: dict[str, set[object]] = {}

    def add(self, model_id: str, call: object) -> None:
        """A call of the model was sent."""
        self._calls.setdefault(model_id, set()).add(call)

    def discard(self, model_id: str, call: object) -> None:
        """It has ended; idempotent."""
        self._calls.get(model_id, set()).discard(call)

    def of(self, model_id: str) -> int:
        """How many calls of the model are under way; an answer that streams is until its end."""
        return len(self._calls.get(model_id, ()))
