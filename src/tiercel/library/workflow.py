"""`Workflow`: stages that find their own tier. Subclass it, decorate functions with it, or enter its stages."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from tiercel import bootstrap
from tiercel.domain.errors import InvalidInput, Problem
from tiercel.library.feedback_loop import FeedbackLoop
from tiercel.library.stage_run import StageRun
from tiercel.ports import Clock
from tiercel.services.rating.evaluation import Evaluator
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.services.steps import Steps, await_steps, run_steps

P = ParamSpec("P")
R = TypeVar("R")


class Workflow:
    """A name, stages in order with the tier each begins with, and how each stage's result is evaluated.

    Before a stage runs, the feedback loop is asked for its tier, and a recommendation with a confidence above 0.7 is
    adopted from then on by this object: make one and keep it. After the stage its result is evaluated (without an
    evaluator: .9 for success, .3 for failure) and recorded with cost, tokens and latency. Three ways to use it:

    * subclass, set `name` and `stages`, write `run_stage`, and call `run` or `await arun`;
    * decorate functions, plain or async: `@workflow.stage("analyse")`, whose first argument is the `StageRun`;
    * `with workflow.enter("analyse") as run:` or `async with`.

    Raises `InvalidInput` for a stage that is not declared or a tier the loop does not know.
    """

    name: str = ""
    stages: Mapping[str, str] = MappingProxyType({})
    evaluators: Mapping[str, Evaluator] = MappingProxyType({})

    def __init__(
        self,
        name: str | None = None,
        stages: Mapping[str, str] | None = None,
        *,
        loop: FeedbackService | None = None,
        evaluators: Mapping[str, Evaluator] | None = None,
        clock: Clock = bootstrap.SYSTEM_CLOCK,
    ) -> None:
        self.name = self.name if name is None else name
        self.stages = dict(self.stages if stages is None else stages)
        self.evaluators = dict(self.evaluators if evaluators is None else evaluators)
        self.loop = FeedbackLoop() if loop is None else loop
        self._clock = clock
        self._adopted: dict[str, str] = {}
        allowed = ", ".join(self.loop.tiers)
        problems = [
            Problem(f"stages.{stage}", f"must begin with one of {allowed}", repr(tier), "unknown")
            for stage, tier in self.stages.items()
            if tier not in self.loop.tiers
        ]
        problems += [
            Problem(f"evaluators.{stage}", "is no stage of this workflow", kind="unknown")
            for stage in self.evaluators
            if stage not in self.stages
        ]
        if not self.name:
            problems.append(Problem("name", "must not be empty", repr(self.name)))
        if problems:
            raise InvalidInput(problems)

    def tier(self, stage: str) -> str:
        """The tier a stage stands on: the one it began with, or the last adopted."""
        self._check(stage)
        return self._adopted.get(stage, str(self.stages[stage]))

    def enter(self, stage: str, *, evaluate: Evaluator | None = None) -> StageRun:
        """One run of a stage, to be entered with `with` or `async with`."""
        return StageRun(
            self.loop,
            self.name,
            stage,
            self.tier(stage),
            clock=self._clock,
            evaluate=evaluate or self.evaluators.get(stage),
            adopt=partial(self._adopted.__setitem__, stage),
        )

    def stage(
        self, name: str, *, evaluate: Evaluator | None = None
    ) -> Callable[[Callable[Concatenate[StageRun, P], R]], Callable[P, R]]:
        """Make every call of a function a run of stage `name`; the function gets the run as its first argument."""
        self._check(name)

        def decorate(body: Callable[Concatenate[StageRun, P], R]) -> Callable[P, R]:
            def steps(*args: P.args, **kwargs: P.kwargs) -> Steps[Any]:
                run = self.enter(name, evaluate=evaluate)
                return run.around(partial(body, run, *args, **kwargs), body.__qualname__)

            if inspect.iscoroutinefunction(body):

                @wraps(body)
                async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - what `body` awaits to
                    return await await_steps(steps(*args, **kwargs))

                return awaited  # type: ignore[return-value]

            @wraps(body)
            def called(*args: P.args, **kwargs: P.kwargs) -> R:
                result: R = run_steps(steps(*args, **kwargs))
                return result

            return called

        return decorate

    def run_stage(self, run: StageRun, value: Any) -> Any | Awaitable[Any]:  # noqa: ANN401 - stages hand on anything
        """Make the result of `run.stage` from the stage before's, with a model of `run.tier`; may be async."""
        raise NotImplementedError(f"{type(self).__name__} must define run_stage to be run as a whole")

    def run(self, value: Any) -> Any:  # noqa: ANN401
        """Run all stages in order, each on the result of the one before; returns the last one's."""
        return run_steps(self._all_stages(value))

    async def arun(self, value: Any) -> Any:  # noqa: ANN401
        """The same for tasks; needed where a stage or an evaluator is async."""
        return await await_steps(self._all_stages(value))

    def _all_stages(self, value: Any) -> Steps[Any]:  # noqa: ANN401
        for stage in self.stages:
            run = self.enter(stage)
            value = yield from run.around(partial(self.run_stage, run, value), f"stage {stage!r}")
        return value

    def _check(self, stage: str) -> None:
        if stage not in self.stages:
            declared = ", ".join(self.stages)
            raise InvalidInput([Problem("stage", f"must be one of {declared}", repr(stage), "unknown")])
