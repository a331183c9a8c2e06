"""An answer that has begun: what was read of it to know that, and what is still to come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence


class Relay:
    """The chunks already read, and then the rest. Closing it closes the rest, whether or not it was begun."""

    __slots__ = ("_held", "_rest")

    def __init__(self, held: Sequence[bytes], rest: AsyncGenerator[bytes] | None = None) -> None:
        self._held = deque(held)
        self._rest = rest

    def __aiter__(self) -> Relay:
        return self

    async def __anext__(self) -> bytes:
        if self._held:
            return self._held.popleft()
        if self._rest is None:
            raise StopAsyncIteration
        return await anext(self._rest)

    async def aclose(self) -> None:
        """End the upstream call if it is still under way, and record what it did."""
        if self._rest is not None:
            await self._rest.aclose()
