"""Evaluators that ask a model: an LLM judge over whatever completes a prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tiercel.core.grading import BEST_GRADE, DEFAULT_RUBRIC, grading_prompt, read_grade

Evaluator = Callable[[Any], float | Awaitable[float]]
"""From a stage's result to its quality in 0..1, at once or awaited."""


class Completer(Protocol):
    """Whoever completes a prompt: a model's call, at once or awaited."""

    def __call__(self, prompt: str, /) -> str | Awaitable[str]:
        """The model's reply to `prompt`."""
        ...


class LlmJudge:
    """An evaluator that lets a model grade the result against `criteria`.

    With a `complete` that is a coroutine function the quality is awaitable. Raises `ProviderProtocolError` for a reply
    without a grade, and whatever `complete` raises.
    """

    def __init__(self, complete: Completer, criteria: str = DEFAULT_RUBRIC) -> None:
        self._complete = complete
        self._criteria = criteria

    def __call__(self, result: object) -> float | Awaitable[float]:
        """The quality of `result`, 0..1."""
        reply = self._complete(self.prompt(result))
        return _quality(reply) if isinstance(reply, str) else _awaited(reply)

    def prompt(self, result: object) -> str:
        """What the judge is asked."""
        return grading_prompt("", str(result), self._criteria).text


async def _awaited(reply: Awaitable[str]) -> float:
    return _quality(await reply)


def _quality(reply: str) -> float:
    return read_grade(reply) / BEST_GRADE
