"""The chat completions under way, so that a process about to end can end them in good order.

A call cut off by the server's own time-out would say nothing to its client and leave a decision without an outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class UnderWay:
    """The tasks that answer chat completions. `end` cancels them; each asks `told_to_end` why it was cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count the current task in; it is cancelled at once where everything has been ended."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("chat completions are answered in tasks")
        self._tasks.add(task)
        if self._ended:
            task.cancel()
        try:
            yield
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """Cancel what is under way and what will come; idempotent, for what is cancelled says farewell."""
        if self._ended:
            return
        self._ended = True
        for task in self._tasks:
            task.cancel()

    def told_to_end(self) -> bool:
        """Whether the current task, which was cancelled, was so by `end`: then it goes on to say farewell."""
        task = asyncio.current_task()
        if not self._ended or task is None:
            return False
        task.uncancel()
        return True

    async def wait(self, timeout_s: float) -> None:
        """Wait until all have ended, for `timeout_s` at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
