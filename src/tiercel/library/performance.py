"""`PerformanceTracker` and `AsyncPerformanceTracker`: record what models' calls did, and read the figures."""

from __future__ import annotations

import asyncio
from typing import Self

from tiercel import bootstrap
from tiercel.config.settings import Settings
from tiercel.ports import Clock, Store
from tiercel.services.delivering.pending import awaiting, waiting
from tiercel.services.watching.performance import Performance


class _Tracking(Performance):
    """What both trackers have in common: where the figures live.

    `store` is a URL ("memory://", "sqlite:///tiercel.db", ...), or a store that is open already and stays open.
    "memory://" forgets with the process. A store that a gateway or another tracker writes is followed.
    Raises `InvalidInput` for a URL that is none, `StoreError` when the store cannot be used.
    """

    def __init__(self, store: str | Store = "memory://", *, clock: Clock = bootstrap.SYSTEM_CLOCK) -> None:
        opened = bootstrap.open_store(store) if isinstance(store, str) else store
        self._own_store = None if opened is store else opened
        super().__init__(bootstrap.build_learner(opened, Settings(), clock=clock))
        self.learner.start()

    def _close(self) -> None:
        self.learner.close()
        if self._own_store is not None:
            self._own_store.close()


class PerformanceTracker(_Tracking):
    """Records what models' calls did, and gives the figures: per model, per agent, overall; for threads."""

    record_decision = waiting(_Tracking.begin_decision)

    def close(self) -> None:
        """Commit what is buffered and close the store; idempotent."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()


class AsyncPerformanceTracker(_Tracking):
    """The same for tasks: what waits for the log is awaited."""

    record_decision = awaiting(_Tracking.begin_decision)

    async def close(self) -> None:
        """Commit what is buffered and close the store; idempotent."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
