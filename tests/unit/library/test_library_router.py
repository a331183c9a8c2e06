"""The routers of the library: what they refuse, and what they close."""

from __future__ import annotations

import asyncio
import threading

import pytest

from support.happenings import decision
from support.in_process import LARGE, PROVIDER, SMALL
from tiercel.adapters.memory_store import MemoryStore
from tiercel.config.settings import RouteSettings, Settings
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import InvalidInput, ProviderRejected
from tiercel.library.router import AsyncRouter, Router
from tiercel.ports import DecisionRecord
from tiercel.testing import ScriptedProvider, error_reply

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("field", ["requires", "prefers"])
@pytest.mark.parametrize("names", [["coding"] * 65, "coding", [""], [7]])
def test_capabilities_are_at_most_64_names(field: str, names: object) -> None:
    with Router([SMALL]) as router:
        with pytest.raises(InvalidInput) as refused:
            router.decide(**{field: names})  # type: ignore[arg-type]
        assert all(problem.path.startswith(field) for problem in refused.value.problems)
        assert router.decide(**{field: ["coding"] * 64}).model == "small"  # type: ignore[arg-type]


def test_a_router_closes_the_providers_it_called() -> None:
    provider = ScriptedProvider()
    with Router([SMALL, LARGE], providers={PROVIDER: provider}) as router:
        asyncio.run(router.complete(MESSAGES))
    assert provider.closed


async def test_a_router_is_closed_where_a_loop_runs() -> None:
    provider = ScriptedProvider()
    with Router([SMALL], providers={PROVIDER: provider}) as router:
        await router.complete(MESSAGES)
    assert provider.closed
    router.close()


async def test_an_async_router_closes_the_providers_it_called() -> None:
    provider = ScriptedProvider()
    async with AsyncRouter([SMALL], providers={PROVIDER: provider}) as router:
        await router.complete(MESSAGES)
    assert provider.closed


def test_providers_that_were_not_called_stay_open() -> None:
    provider = ScriptedProvider()
    Router([SMALL], providers={PROVIDER: provider}).close()
    assert not provider.closed


async def test_a_request_the_upstream_refuses_is_raised_with_what_it_said() -> None:
    provider = ScriptedProvider(error_reply(400))
    router = Router([SMALL], providers={PROVIDER: provider})
    with router, pytest.raises(ProviderRejected, match="400") as refused:
        await router.complete(MESSAGES)
    assert (refused.value.status, bool(refused.value.body)) == (400, True)


def test_a_callers_own_figures_are_read_where_the_route_names_them() -> None:
    settings = Settings(models=(SMALL, LARGE), routes=(RouteSettings(features=("urgency",)),))
    with Router(settings=settings, store="memory://") as router:
        urgent = router.decide(prompt="hi", features={"urgency": 1.5, "other": 9.0})
        plain = router.decide(prompt="hi")
    assert (urgent.vector[-1], plain.vector[-1]) == (1.5, 0.0)
    assert urgent.basis == plain.basis
    assert urgent.features == {"urgency": 1.5, "other": 9.0}


@pytest.mark.parametrize("figures", [["urgency"], {"urgency": float("nan")}, {"": 1.0}, {"u": "high"}, {"u": True}])
def test_figures_are_finite_numbers_by_name(figures: object) -> None:
    with Router([SMALL]) as router, pytest.raises(InvalidInput, match="features"):
        router.decide(features=figures)  # type: ignore[arg-type]


async def test_no_task_stands_still_while_another_processs_decision_is_looked_up() -> None:
    """The store answers only once the event loop goes on."""
    asked, may_answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Hanging(MemoryStore):
        def decision(self, decision_id: str) -> DecisionRecord | None:
            loop.call_soon_threadsafe(asked.set)
            assert may_answer.wait(5), "the event loop stood still"
            return super().decision(decision_id)

    store = Hanging()
    store.append([decision(1)], fold)
    async with AsyncRouter([SMALL], store=store) as router:
        rating = asyncio.create_task(router.record_feedback("dec_1", 0.5))
        await asked.wait()
        may_answer.set()
        assert await rating
