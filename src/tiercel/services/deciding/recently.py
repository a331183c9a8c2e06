"""A bounded memory of the newest entries."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")


class Recently(Generic[K, V]):
    """A mapping that keeps the `limit` newest keys. Single operations are atomic under the interpreter's lock."""

    __slots__ = ("_entries", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    def get(self, key: K, default: V | None = None) -> V | None:
        """The value of `key`, or `default`."""
        return self._entries.get(key, default)

    def __setitem__(self, key: K, value: V) -> None:
        entries = self._entries
        entries[key] = value
        if len(entries) > self.limit:
            entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
