"""How many values a label of a metric may have: what comes after them counts together, as "_other"."""

from __future__ import annotations

OTHER = "_other"


class LabelValues:
    """The first `limit` values are told apart, whatever comes after. Memory and series are bounded by that."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value itself, or `OTHER`."""
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value

    def __len__(self) -> int:
        return len(self._known)
