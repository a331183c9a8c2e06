"""An LLM judge that asks the router's own models."""

from __future__ import annotations

from collections.abc import Mapping

from tiercel.core.chat_text import answer_text
from tiercel.core.grading import DEFAULT_RUBRIC
from tiercel.domain.errors import ProviderProtocolError
from tiercel.library.router import AsyncRouter, Router
from tiercel.services.rating.evaluation import LlmJudge

JUDGE_WORKFLOW, JUDGE_STAGE = "evaluation", "judge"


def router_judge(
    router: AsyncRouter | Router,
    criteria: str = DEFAULT_RUBRIC,
    *,
    workflow: str = JUDGE_WORKFLOW,
    stage: str = JUDGE_STAGE,
    **options: object,
) -> LlmJudge:
    """An evaluator whose grades are awaited: `router` chooses the judge's model as for any other request.

    `workflow` and `stage` are what its requests count under, apart from those it judges; `options` go upstream as they
    are (temperature, ...). Grading raises `ProviderError` when the model's call fails or its reply has no grade.
    """

    async def complete(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        completion = await router.complete(messages, workflow=workflow, stage=stage, **options)
        return _content(completion.body)

    return LlmJudge(complete, criteria)


def _content(body: Mapping[str, object]) -> str:
    content = answer_text(body)
    if not content:
        raise ProviderProtocolError("the judge's model answered without a text in choices[0].message.content")
    return content
