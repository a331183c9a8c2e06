"""A result that is still being committed: a thread waits for it, a task awaits it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tiercel.domain.errors import StoreUnavailable

ACKNOWLEDGE_S = 30.0
"""How long a caller waits for the log before it is told that the store is away."""

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
P = ParamSpec("P")


class Pending(Generic[T]):
    """What `finish` makes of a future's result.

    Waiting for longer than `ACKNOWLEDGE_S` raises `StoreUnavailable`; what was sent stays buffered all the same.
    """

    __slots__ = ("_finish", "_future")

    def __init__(self, future: Future[R], finish: Callable[[R], T]) -> None:
        self._future: Future[Any] = future
        self._finish: Callable[[Any], T] = finish

    def wait(self) -> T:
        """Block this thread until the result is there."""
        try:
            return self._finish(self._future.result(ACKNOWLEDGE_S))
        except TimeoutError as error:
            raise _away() from error

    def __await__(self) -> Generator[Any, None, T]:
        return self._awaited().__await__()

    async def _awaited(self) -> T:
        # shielded: a cancelled waiter must not cancel what others are committed with
        try:
            return self._finish(
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._future)), ACKNOWLEDGE_S)
            )
        except TimeoutError as error:
            raise _away() from error


def _away() -> StoreUnavailable:
    return StoreUnavailable(f"not committed within {ACKNOWLEDGE_S:g} s: it stays buffered until the store is back")


def waiting(begin: Callable[Concatenate[S, P], Pending[T]]) -> Callable[Concatenate[S, P], T]:
    """The method for threads: begin, then wait."""

    @wraps(begin)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return begin(self, *args, **kwargs).wait()

    return method


def awaiting(
    begin: Callable[Concatenate[S, P], Pending[T]],
    reads: Callable[Concatenate[S, P], bool] | None = None,
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The method for tasks: begin, in a thread where that `reads` from the store, then await."""

    @wraps(begin)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if reads is not None and reads(self, *args, **kwargs):
            return await (await asyncio.to_thread(begin, self, *args, **kwargs))
        return await begin(self, *args, **kwargs)

    return method
