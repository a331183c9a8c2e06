from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from tiercel.domain.errors import InvalidInput
from tiercel.services.steps import Step, Steps, await_steps, run_steps


def drive_sync(steps: Steps[object]) -> object:
    return run_steps(steps)


def drive_async(steps: Steps[object]) -> object:
    return asyncio.run(await_steps(steps))


DRIVERS = pytest.mark.parametrize("drive", [drive_sync, drive_async])


@DRIVERS
def test_results_are_sent_and_the_last_is_returned(drive: Callable[[Steps[object]], object]) -> None:
    def steps() -> Steps[object]:
        first = yield Step(lambda: 20, "first", blocking=True)
        second = yield Step(lambda: 22, "second")
        return first + second

    assert drive(steps()) == 42


@DRIVERS
def test_errors_are_thrown_where_the_step_was_yielded(drive: Callable[[Steps[object]], object]) -> None:
    def steps() -> Steps[object]:
        try:
            yield Step(lambda: 1 / 0, "division")
        except ZeroDivisionError:
            recovered = yield Step(lambda: "recovered", "next")
        yield Step(lambda: {}[recovered], "look-up")
        return None

    with pytest.raises(KeyError, match="recovered"):
        drive(steps())


async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value


def awaiting() -> Steps[object]:
    value = yield Step(lambda: later(1), "the evaluator")
    return value


async def test_tasks_await_what_is_awaitable() -> None:
    assert await await_steps(awaiting()) == 1


def test_threads_refuse_it_and_say_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="the evaluator is asynchronous: use the asynchronous form"):
        run_steps(awaiting())


def test_threads_refuse_an_awaitable_that_is_no_coroutine() -> None:
    class Later:
        def __await__(self) -> object:
            raise AssertionError

    with pytest.raises(InvalidInput, match="asynchronous"):
        run_steps(iter_once(Later()))  # type: ignore[arg-type]


def iter_once(value: Awaitable[int]) -> Steps[object]:
    return (yield Step(lambda: value, "it"))


async def test_what_may_block_stays_away_from_the_event_loop() -> None:
    def steps() -> Steps[list[int]]:
        blocking = yield Step(threading.get_ident, "store", blocking=True)
        plain = yield Step(threading.get_ident, "body")
        return [blocking, plain]

    blocking, plain = await await_steps(steps())
    assert plain == threading.get_ident() != blocking


async def test_a_cancellation_passes_through_the_generator() -> None:
    seen: list[str] = []

    def steps() -> Steps[None]:
        try:
            yield Step(lambda: asyncio.sleep(3600), "long")
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.create_task(await_steps(steps()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]
