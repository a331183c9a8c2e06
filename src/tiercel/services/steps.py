"""One implementation for threads and for tasks: a generator says what to do next, a driver does it.

The generator yields `Step`s and is sent their results (or thrown their errors). `run_steps` takes them in this thread;
`await_steps` awaits what is awaitable and keeps what may block away from the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from tiercel.domain.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """Something to call. `blocking` says that it may wait for a store; `what` names it in errors."""

    call: Callable[[], Any]
    what: str
    blocking: bool = False


Steps = Generator[Step, Any, T]


def run_steps(steps: Steps[T]) -> T:
    """Take every step in this thread. Raises `InvalidInput` for a step that would have to be awaited."""
    proceed: Callable[[Any], Step] = steps.send
    value: Any = None
    while True:
        try:
            step = proceed(value)
        except StopIteration as done:
            result: T = done.value
            return result
        try:
            value = _present(step)
            proceed = steps.send
        except BaseException as error:  # noqa: BLE001 - thrown on into the generator, which raises what it cannot use
            proceed, value = steps.throw, error


async def await_steps(steps: Steps[T]) -> T:
    """Take every step in this task."""
    proceed: Callable[[Any], Step] = steps.send
    value: Any = None
    while True:
        try:
            step = proceed(value)
        except StopIteration as done:
            result: T = done.value
            return result
        try:
            value = await asyncio.to_thread(step.call) if step.blocking else step.call()
            if inspect.isawaitable(value):
                value = await value
            proceed = steps.send
        except BaseException as error:  # noqa: BLE001 - thrown on into the generator, which raises what it cannot use
            proceed, value = steps.throw, error


def _present(step: Step) -> object:
    value = step.call()
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise InvalidInput(f"{step.what} is asynchronous: use the asynchronous form (async with, async def, arun)")
    return value
