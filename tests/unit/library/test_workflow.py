from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, cast

import pytest

from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.evaluators import python_code_quality, stars_quality
from tiercel.core.statistics.fold import fold
from tiercel.domain.catalogue import ModelTier
from tiercel.domain.errors import InvalidInput, NoEligibleModel, ProviderTimeout, StoreUnavailable
from tiercel.domain.events import Event, Feedback
from tiercel.domain.quality import FeedbackEntry
from tiercel.library.stage_run import StageRun
from tiercel.library.workflow import Workflow
from tiercel.ports import Appended, Fold
from tiercel.services.rating.evaluation import Evaluator
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.testing import ManualClock


class FickleStore(MemoryStore):
    """A memory store that is away when told to."""

    away = False

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        if self.away:
            raise StoreUnavailable("pulled out")
        return super().append(events, fold)

    def feedback_history(self, workflow: str, stage: str, tier: str | None, limit: int) -> Sequence[Feedback]:
        if self.away:
            raise StoreUnavailable("pulled out")
        return super().feedback_history(workflow, stage, tier, limit)


class Fixture:
    """A workflow of two stages over a loop and clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = FickleStore()
        numbers = count(1)
        self.loop = FeedbackService(
            self.store, fold=fold, clock=self.clock, new_id=lambda: f"feedback_{next(numbers)}", max_buffered=1
        )
        self.workflow = Workflow(
            "review", {"classify": "cheap", "analyse": ModelTier.CAPABLE}, loop=self.loop, clock=self.clock
        )

    def rate(self, stage: str, tier: str, quality: float, times: int) -> None:
        for _ in range(times):
            self.clock.advance(0.001)
            self.loop.record_feedback("review", stage, tier, quality)

    def history(self, stage: str = "classify") -> list[FeedbackEntry]:
        return self.loop.get_feedback_history("review", stage)

    def newest(self, stage: str = "classify") -> FeedbackEntry:
        return self.history(stage)[0]


@pytest.fixture
def it() -> Fixture:
    return Fixture()


Body = Callable[[StageRun], object]
Runner = Callable[[Workflow, Body, Evaluator | None], object]


def entered(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    with workflow.enter("classify", evaluate=evaluate) as run:
        run.result = body(run)
    return run.result


def entered_async(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    async def main() -> object:
        async with workflow.enter("classify", evaluate=evaluate) as run:
            run.result = body(run)
        return run.result

    return asyncio.run(main())


def decorated(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    @workflow.stage("classify", evaluate=evaluate)
    def classify(run: StageRun) -> object:
        return body(run)

    return classify()


def decorated_async(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    @workflow.stage("classify", evaluate=evaluate)
    async def classify(run: StageRun) -> object:
        await asyncio.sleep(0)
        return body(run)

    return asyncio.run(classify())


def single_stage(workflow: Workflow, body: Body, evaluate: Evaluator | None) -> Workflow:
    class Single(Workflow):
        name = workflow.name
        stages = {"classify": workflow.tier("classify")}  # noqa: RUF012 - as users write it
        evaluators = {"classify": evaluate} if evaluate else {}

        def run_stage(self, run: StageRun, value: object) -> object:  # noqa: ARG002 - the signature to override
            return body(run)

    return Single(loop=workflow.loop, clock=workflow._clock)


def subclassed(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    return single_stage(workflow, body, evaluate).run(None)


def subclassed_async(workflow: Workflow, body: Body, evaluate: Evaluator | None = None) -> object:
    return asyncio.run(single_stage(workflow, body, evaluate).arun(None))


EVERY_WAY = pytest.mark.parametrize(
    "run", [entered, entered_async, decorated, decorated_async, subclassed, subclassed_async]
)
EVERY_ASYNC_WAY = pytest.mark.parametrize("run", [entered_async, decorated_async, subclassed_async])
EVERY_SYNC_WAY = pytest.mark.parametrize("run", [entered, decorated, subclassed])


@EVERY_WAY
def test_a_stage_is_run_evaluated_and_recorded(it: Fixture, run: Runner) -> None:
    def body(stage: StageRun) -> str:
        assert (stage.tier, stage.stage) == ("cheap", "classify")
        it.clock.advance(0.25)
        stage.used(prompt_tokens=100, completion_tokens=20, cost_usd=0.001)
        stage.used(prompt_tokens=50, completion_tokens=5)
        return "x = 1"

    assert run(it.workflow, body, python_code_quality) == "x = 1"
    entry = it.newest()
    assert (entry.tier, entry.quality_score) == ("cheap", 0.3)
    assert entry.metadata == {
        "prompt_tokens": 150,
        "completion_tokens": 25,
        "cost_usd": 0.001,
        "latency_ms": pytest.approx(250.0),
        "success": True,
        "retries": 0,
    }


@EVERY_WAY
def test_without_an_evaluator_the_outcome_counts(it: Fixture, run: Runner) -> None:
    run(it.workflow, lambda _: "done", None)
    assert it.newest().quality_score == 0.9


@EVERY_WAY
@pytest.mark.parametrize(("retries", "quality"), [(0, 0.3), (1, 0.5), (2, 0.3)])
def test_an_exception_is_recorded_as_failure_and_goes_on(
    it: Fixture, *, run: Runner, retries: int, quality: float
) -> None:
    def body(stage: StageRun) -> None:
        stage.retries = retries
        stage.rate(1.0)  # a failure is a failure, whatever was thought of it before
        raise LookupError("no such file")

    with pytest.raises(LookupError, match="no such file"):
        run(it.workflow, body, stars_quality)
    entry = it.newest()
    assert entry.quality_score == quality
    assert (entry.metadata["success"], entry.metadata["error"]) == (False, "LookupError")


@EVERY_WAY
def test_a_cancelled_stage_says_nothing_of_its_tier(it: Fixture, run: Runner) -> None:
    def body(_: StageRun) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(it.workflow, body, None)
    assert it.history() == []


@EVERY_WAY
@pytest.mark.parametrize(("samples", "tier"), [(9, "cheap"), (14, "cheap"), (15, "capable"), (20, "capable")])
def test_a_recommendation_is_adopted_above_a_confidence_of_seven_tenths(
    it: Fixture, *, run: Runner, samples: int, tier: str
) -> None:
    it.rate("classify", "cheap", 0.5, samples)  # 14 / 20 is 0.7, which is not above it
    seen: list[StageRun] = []
    run(it.workflow, seen.append, None)
    assert seen[0].tier == it.newest().tier == tier
    assert seen[0].recommendation is not None
    assert seen[0].recommendation.recommended_tier == ("cheap" if samples < 10 else "capable")


def test_an_adopted_tier_is_the_current_one_from_then_on(it: Fixture) -> None:
    it.rate("classify", "cheap", 0.5, 20)
    assert it.workflow.tier("classify") == "cheap"
    entered(it.workflow, lambda _: None)
    assert it.workflow.tier("classify") == "capable"
    it.rate("classify", "capable", 0.5, 20)
    entered(it.workflow, lambda _: None)
    assert it.workflow.tier("classify") == "premium"
    assert it.workflow.tier("analyse") == "capable"


@EVERY_WAY
def test_a_rating_by_hand_replaces_the_evaluation(it: Fixture, run: Runner) -> None:
    run(it.workflow, lambda stage: stage.rate(0.42), lambda _: 1 / 0)
    assert it.newest().quality_score == 0.42


@EVERY_WAY
def test_an_evaluators_own_error_goes_on(it: Fixture, run: Runner) -> None:
    with pytest.raises(ZeroDivisionError):
        run(it.workflow, lambda _: "x", lambda _: 1 / 0)
    assert it.history() == []


@EVERY_WAY
@pytest.mark.parametrize("quality", [1.5, None, True, "0.8"])
def test_an_evaluator_must_give_a_quality(it: Fixture, *, run: Runner, quality: object) -> None:
    with pytest.raises(InvalidInput, match=r"evaluator of stage 'classify' must give a number in 0\.\.1, gave"):
        run(it.workflow, lambda _: "x", lambda _: cast("float", quality))


@EVERY_WAY
@pytest.mark.parametrize("trouble", [ProviderTimeout("the judge took too long"), NoEligibleModel({})])
def test_a_judge_that_fails_leaves_the_stage_alone(
    it: Fixture, *, run: Runner, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def judge(_: object) -> float:
        raise trouble

    assert run(it.workflow, lambda _: "x", judge) == "x"
    assert it.history() == []
    assert f"is not rated: {trouble}" in caplog.text


@EVERY_WAY
def test_a_store_that_is_away_leaves_the_stage_alone(
    it: Fixture, run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    it.store.away = True
    assert [run(it.workflow, lambda stage: stage.tier, None) for _ in range(2)] == ["cheap", "cheap"]
    assert "keeps tier cheap: no recommendation, pulled out" in caplog.text
    assert "is not rated: the store is away" in caplog.text  # the second: the buffer holds one
    it.store.away = False
    assert len(it.history()) == 1


async def graded(result: str) -> float:
    await asyncio.sleep(0)
    return 0.77 if result == "x" else 0.0


@EVERY_ASYNC_WAY
def test_an_evaluator_may_be_awaited(it: Fixture, run: Runner) -> None:
    run(it.workflow, lambda _: "x", graded)
    assert it.newest().quality_score == 0.77


@EVERY_SYNC_WAY
def test_threads_are_told_how_to_use_an_async_evaluator(it: Fixture, run: Runner) -> None:
    with pytest.raises(InvalidInput, match="the evaluator is asynchronous: use the asynchronous form"):
        run(it.workflow, lambda _: "x", graded)


async def test_a_workflow_hands_each_result_to_the_next_stage(it: Fixture) -> None:
    class Review(Workflow):
        name = "review"
        stages = {"classify": ModelTier.CHEAP, "analyse": "capable"}  # noqa: RUF012 - as users write it
        evaluators = {"analyse": stars_quality}  # noqa: RUF012

        def run_stage(self, run: StageRun, value: list[str]) -> object | Awaitable[int]:
            return self.analyse(value) if run.stage == "analyse" else [*value, run.tier]

        async def analyse(self, value: list[str]) -> int:
            await asyncio.sleep(0)
            return len(value)

    review = Review(loop=it.loop, clock=it.clock)
    assert await review.arun(["start"]) == 2
    assert it.newest("classify").quality_score == 0.9
    assert it.newest("analyse").quality_score == 0.25
    with pytest.raises(InvalidInput, match="stage 'analyse' is asynchronous: use the asynchronous form"):
        await asyncio.to_thread(review.run, ["start"])


def test_a_decorated_function_keeps_its_name_and_arguments(it: Fixture) -> None:
    @it.workflow.stage("classify")
    def classify(run: StageRun, text: str, *, loud: bool = False) -> str:
        return f"{run.tier} {text.upper() if loud else text}"

    assert classify.__name__ == "classify"
    assert classify("a", loud=True) == "cheap A"
    assert classify("b") == "cheap b"
    assert len(it.history()) == 2


def test_a_run_is_good_for_once(it: Fixture) -> None:
    run = it.workflow.enter("classify")
    with run:
        pass
    with pytest.raises(InvalidInput, match="each run needs one of its own"), run:
        pass


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": -1}, {"completion_tokens": 1.5}, {"cost_usd": float("nan")}, {"cost_usd": -0.1}]
)
def test_usage_that_cannot_be_is_refused(it: Fixture, usage: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"{next(iter(usage))}: must be"):
        it.workflow.enter("classify").used(**usage)


@pytest.mark.parametrize("quality", [1.01, float("nan"), True, "0.5"])
def test_a_rating_by_hand_must_be_a_quality(it: Fixture, quality: float) -> None:
    with pytest.raises(InvalidInput, match=r"quality must be a number in 0\.\.1"):
        it.workflow.enter("classify").rate(quality)


def test_what_a_workflow_declares_is_checked_at_once(it: Fixture) -> None:
    with pytest.raises(InvalidInput) as error:
        Workflow("", {"a": "ultra"}, loop=it.loop, evaluators={"b": stars_quality})
    assert [problem.path for problem in error.value.problems] == ["stages.a", "evaluators.b", "name"]


@pytest.mark.parametrize("ask", [Workflow.enter, Workflow.stage, Workflow.tier])
def test_a_stage_that_is_not_declared_is_refused(it: Fixture, ask: Callable[[Workflow, str], object]) -> None:
    with pytest.raises(InvalidInput, match=r"stage: must be one of classify, analyse .found 'clasify'"):
        ask(it.workflow, "clasify")


def test_a_workflow_without_run_stage_says_what_is_missing(it: Fixture) -> None:
    with pytest.raises(NotImplementedError, match="Workflow must define run_stage"):
        it.workflow.run(None)


def test_every_run_is_logged_nowhere_by_default(it: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="tiercel"):
        entered(it.workflow, lambda _: "secret")
    assert caplog.text == ""
