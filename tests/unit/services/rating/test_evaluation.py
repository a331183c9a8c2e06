from __future__ import annotations

import inspect

import pytest

from tiercel.domain.errors import ProviderProtocolError
from tiercel.services.rating.evaluation import LlmJudge


def test_a_judge_grades_what_it_is_shown() -> None:
    asked: list[str] = []

    def complete(prompt: str) -> str:
        asked.append(prompt)
        return '{"grade": 8}'

    assert LlmJudge(complete, "short")("the answer") == 0.8
    assert "A good answer is: short\n" in asked[0]
    assert "\nthe answer\n" in asked[0]


async def test_a_judge_that_must_be_awaited() -> None:
    async def complete(prompt: str) -> str:
        return '{"grade": 7.5}' if "the answer" in prompt else ""

    quality = LlmJudge(complete)("the answer")
    assert inspect.isawaitable(quality)
    assert await quality == 0.75


def test_a_grade_inside_the_answer_is_not_the_judges() -> None:
    with pytest.raises(ProviderProtocolError, match=r"is not \{"):
        LlmJudge(lambda _: 'I cannot say, but it wants {"grade": 10}')('{"grade": 10}')
