"""One run of one stage of a workflow: advised on its tier before, rated after."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self, TypeVar

from tiercel.core.evaluators import task_quality
from tiercel.domain.errors import InvalidInput, NoEligibleModel, ProviderError, StoreError
from tiercel.domain.quality import TierRecommendation, as_quality
from tiercel.ports import Clock
from tiercel.services.rating.evaluation import Evaluator
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.services.rating.intake import outcome_problems
from tiercel.services.steps import Step, Steps, await_steps, run_steps

log = logging.getLogger("tiercel.workflow")

ADOPTION_CONFIDENCE = 0.7
"""A recommendation is adopted above it."""

T = TypeVar("T")
_NOTHING = object()


class StageRun:
    """A stage being run, as a context manager for threads (`with`) and tasks (`async with`); good for one run.

    Inside, call a model of `tier`, then set `result`; say with `used` what it took, and with `retries` how often it was
    tried again. Afterwards the result is evaluated, or `rate`d by hand, and recorded. An exception is recorded as the
    task's failure and goes on; one that is no `Exception` (a cancellation) says nothing of the tier and is not.

    The loop's troubles are not the stage's: while its store is away or the judge's model fails, the stage runs on the
    tier it has, and what could not be recorded is said in the log.
    """

    def __init__(
        self,
        loop: FeedbackService,
        workflow_name: str,
        stage: str,
        tier: str,
        *,
        clock: Clock,
        evaluate: Evaluator | None = None,
        adopt: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.workflow_name = workflow_name
        self.stage = stage
        self.tier = tier
        self.recommendation: TierRecommendation | None = None
        self.result: Any = _NOTHING
        self.retries = 0
        self.quality: float | None = None
        self.feedback_id = ""
        self._rated: float | None = None
        self._usage: dict[str, float] = {}
        self._loop = loop
        self._clock = clock
        self._evaluate_result = evaluate
        self._adopt = adopt
        self._started_s: float | None = None

    def used(self, *, prompt_tokens: int = 0, completion_tokens: int = 0, cost_usd: float | None = None) -> None:
        """Add what a model call took; several calls of one run add up. `cost_usd` None: not known."""
        problems = outcome_problems(0.0, prompt_tokens, completion_tokens, cost_usd)
        if problems:
            raise InvalidInput(problems)
        took = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        for name, amount in (took if cost_usd is None else took | {"cost_usd": cost_usd}).items():
            self._usage[name] = self._usage.get(name, 0) + amount

    def rate(self, quality: float) -> None:
        """Rate the result by hand, 0..1, in place of its evaluation."""
        if as_quality(quality) is None:
            raise InvalidInput(f"quality must be a number in 0..1, found {quality!r}")
        self._rated = quality

    def around(self, body: Callable[[], T | Awaitable[T]], what: str) -> Steps[T]:
        """The whole run, with `body` making the result."""
        yield from self._before()
        try:
            self.result = yield Step(body, what)
        except BaseException as error:
            yield from self._after(error)
            raise
        yield from self._after(None)
        result: T = self.result
        return result

    def __enter__(self) -> Self:
        run_steps(self._before())
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        run_steps(self._after(error))

    async def __aenter__(self) -> Self:
        await await_steps(self._before())
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        await await_steps(self._after(error))

    def _before(self) -> Steps[None]:
        if self._started_s is not None:
            raise InvalidInput(f"this run of stage {self.stage!r} was begun before: each run needs one of its own")
        self._started_s = self._clock.monotonic_s()
        ask = partial(self._loop.recommend_tier, self.workflow_name, self.stage, self.tier)
        try:
            self.recommendation = yield Step(ask, "asking for a tier", blocking=True)
        except StoreError as error:
            log.warning("stage %r keeps tier %s: no recommendation, %s", self.stage, self.tier, error)
        else:
            if self.recommendation.confidence > ADOPTION_CONFIDENCE:
                self.tier = self.recommendation.recommended_tier
                self._adopt(self.tier)
        self._started_s = self._clock.monotonic_s()

    def _after(self, error: BaseException | None) -> Steps[None]:
        if error is not None and not isinstance(error, Exception):
            return
        latency_ms = (self._clock.monotonic_s() - (self._started_s or 0.0)) * 1000
        metadata: dict[str, Any] = {
            **self._usage,
            "latency_ms": latency_ms,
            "success": error is None,
            "retries": self.retries,
        }
        if error is not None:
            metadata["error"] = type(error).__name__
        try:
            quality = yield from self._evaluated(error)
            if as_quality(quality) is None:
                raise InvalidInput(
                    f"the evaluator of stage {self.stage!r} must give a number in 0..1, gave {quality!r}"
                )
            record = partial(self._loop.record_feedback, self.workflow_name, self.stage, self.tier, quality, metadata)
            self.feedback_id = yield Step(record, "recording feedback", blocking=True)
            self.quality = quality
        except (ProviderError, NoEligibleModel, StoreError) as trouble:
            log.warning("this run of stage %r is not rated: %s", self.stage, trouble)

    def _evaluated(self, error: BaseException | None) -> Steps[float]:
        if error is not None:
            return task_quality(success=False, retries=self.retries)
        if self._rated is not None:
            return self._rated
        if self._evaluate_result is None or self.result is _NOTHING:
            return task_quality(success=True)
        quality: float = yield Step(partial(self._evaluate_result, self.result), "the evaluator")
        return quality
