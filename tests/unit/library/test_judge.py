from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderProtocolError
from tiercel.library.judge import router_judge
from tiercel.library.router import AsyncRouter
from tiercel.services.completion import Completion


class ScriptedRouter:
    """Answers every completion alike and remembers what was asked."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer = Completion(cast("Decision", None), "gpt-4o-mini", body)

    async def complete(self, messages: Sequence[Mapping[str, Any]], **options: object) -> Completion:
        self.asked.append({"messages": list(messages), **options})
        return self._answer


async def grade(router: ScriptedRouter, **options: object) -> float:
    quality = router_judge(cast("AsyncRouter", router), "brief", **options)("an answer")  # type: ignore[arg-type]
    assert inspect.isawaitable(quality)
    return await quality


def answering(content: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}}]}


async def test_the_router_is_asked_under_a_name_of_its_own() -> None:
    router = ScriptedRouter(answering('{"grade": 6}'))
    assert await grade(router, temperature=0) == 0.6
    (asked,) = router.asked
    assert (asked["workflow"], asked["stage"], asked["temperature"]) == ("evaluation", "judge", 0)
    assert "an answer" in asked["messages"][0]["content"]


@pytest.mark.parametrize("body", [{}, {"choices": []}, answering(None), answering([{"type": "text"}]), {"choices": 3}])
async def test_an_answer_without_text_is_the_providers_fault(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderProtocolError, match="without a text"):
        await grade(ScriptedRouter(body))
