"""What an agent says of itself: that it is alive, how far it has come, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tiercel.domain.presence import BeatStatus
from tiercel.services.attending.attendance import AgentState, Attendance, Run


class AgentRun:
    """An agent at work, as long as the `with` (or `async with`) lasts: it says so every 10 seconds by itself.

    At the end it says "completed"; "cancelled" where the task was cancelled or the program interrupted; else "failed".
    """

    def __init__(self, attendance: Attendance, run: Run) -> None:
        self._attendance = attendance
        self._run = run

    @property
    def agent_id(self) -> str:
        """Whose work it is."""
        return self._run.agent_id

    def progress(self, done: float, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Say how far the work has come, in 0..1, and (with `metadata`) anything else. Raises `InvalidInput`."""
        told = self._run.metadata if metadata is None else metadata
        self._attendance.beat(self.agent_id, BeatStatus.RUNNING, progress=done, metadata=told)
        self._run.progress, self._run.metadata = done, told

    def __enter__(self) -> Self:
        self._attendance.start()
        self._attendance.begin(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attendance.end(self._run, _ending(kind))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class WithAgents:
    """The part of a router that agents talk to."""

    attendance: Attendance

    def heartbeat(
        self,
        agent_id: str,
        status: str = BeatStatus.RUNNING,
        *,
        progress: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AgentState:
        """Say that an agent is alive; what it counts as now. It is believed for 30 seconds: say it every 10.

        `status` is starting, running, completed, failed or cancelled; `progress` is in 0..1. Never waits for the store:
        the other processes hear of it within seconds. Raises `UnknownAgent` for one that is not configured,
        `InvalidInput`.
        """
        self.attendance.start()
        return self.attendance.beat(agent_id, status, progress=progress, metadata=metadata)

    def agent(self, agent_id: str, *, metadata: Mapping[str, Any] | None = None) -> AgentRun:
        """An agent at work: `with router.agent("agent_gpu_1") as agent: ...`, or the same with `async with`.

        Raises `UnknownAgent` for one that is not configured.
        """
        self.attendance.agent(agent_id)
        return AgentRun(self.attendance, Run(agent_id, metadata=dict(metadata or {})))

    def agents(self) -> list[AgentState]:
        """The configured agents, in order, with what each counts as now."""
        return self.attendance.states()


def _ending(kind: type[BaseException] | None) -> str:
    if kind is None:
        return BeatStatus.COMPLETED
    if issubclass(kind, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit):
        return BeatStatus.CANCELLED
    return BeatStatus.FAILED
