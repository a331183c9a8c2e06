"""Agents through the library."""

from __future__ import annotations

import asyncio

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.domain.catalogue import Agent, ModelProfile
from tiercel.domain.errors import UnknownAgent
from tiercel.library.router import AsyncRouter, Router
from tiercel.testing import ManualClock

MODELS = [ModelProfile(model_id="m")]
AGENTS = [Agent(agent_id="gpu_1"), Agent(agent_id="gpu_2", status="offline")]


def kept(store: MemoryStore, clock: ManualClock) -> dict[str, tuple[str, float | None]]:
    return {said.agent_id: (said.status, said.progress) for said in store.presence.beats(clock.now())}


def test_an_agent_says_that_it_is_alive() -> None:
    store, clock = MemoryStore(), ManualClock()
    with Router(MODELS, agents=AGENTS, store=store, clock=clock) as router:
        assert router.heartbeat("gpu_2", progress=0.1).status == "online"
        assert [(state.agent.agent_id, state.status) for state in router.agents()] == [
            ("gpu_1", "online"),
            ("gpu_2", "online"),
        ]
        with pytest.raises(UnknownAgent):
            router.heartbeat("gpu_9")
        with pytest.raises(UnknownAgent):
            router.agent("gpu_9")
    assert kept(store, clock) == {"gpu_2": ("running", 0.1)}


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "completed"), (ValueError("x"), "failed"), (KeyboardInterrupt(), "cancelled")],
)
def test_work_says_how_it_ended(error: BaseException | None, status: str) -> None:
    store, clock = MemoryStore(), ManualClock()

    def work(router: Router) -> None:
        with router.agent("gpu_1", metadata={"batch": 7}) as agent:
            assert router.agents()[0].beat is not None
            agent.progress(0.5)
            if error is not None:
                raise error

    with Router(MODELS, agents=AGENTS, store=store, clock=clock) as router:
        if error is None:
            work(router)
        else:
            with pytest.raises(type(error)):
                work(router)
        assert router.agents()[0].status == "offline"
    assert kept(store, clock) == {"gpu_1": (status, 0.5)}


async def test_a_task_that_is_cancelled_says_so() -> None:
    store, clock = MemoryStore(), ManualClock()
    begun = asyncio.Event()

    async def work(router: AsyncRouter) -> None:
        async with router.agent("gpu_1") as agent:
            agent.progress(0.25)
            begun.set()
            await asyncio.Event().wait()

    async with AsyncRouter(MODELS, agents=AGENTS, store=store, clock=clock) as router:
        task = asyncio.create_task(work(router))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kept(store, clock) == {"gpu_1": ("cancelled", 0.25)}
