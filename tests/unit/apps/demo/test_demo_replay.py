"""The run's order, its waves, and how late its ratings are; the gateway is a fake."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from tiercel.apps.demo.client import CallFailed, GatewayClient, Reply, Verdict
from tiercel.apps.demo.replay import WAVE, Plan, Progress, replay
from tiercel.apps.demo.table import Prompt, prompts


class FakeGateway:
    """Answers with the cheapest model and writes down what it was asked, wave by wave."""

    def __init__(self, fail_at: str = "") -> None:
        self.log: list[str] = []
        self.verdicts: list[Verdict] = []
        self._fail_at = fail_at

    async def ask(self, prompt: Prompt, request_id: str, *, stream: bool) -> Reply:
        await asyncio.sleep(0)
        if request_id == self._fail_at:
            raise CallFailed(request_id)
        self.log.append(f"{'stream' if stream else 'ask'} {request_id}")
        return Reply("llama-3.1-8b", f"dec_{request_id}", f"chatcmpl-{prompt.id}", 1, 1)

    async def rate(self, verdicts: Sequence[Verdict]) -> None:
        self.log.append(f"rate {len(verdicts)}")
        self.verdicts += verdicts


def plan(count: int = 5 * WAVE + 3, **options: Any) -> Plan:  # noqa: ANN401 - as Plan.of types them
    return Plan.of(prompts(), **{"count": count, "seed": 1, "feedback_share": 0.5, "delay": 2, **options})


async def ran(gateway: FakeGateway, planned: Plan) -> Progress:
    async for progress in replay(cast("GatewayClient", gateway), planned):
        done = progress
    return done


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert plan() == plan()
    assert plan(seed=2).prompts != plan().prompts
    assert plan(seed=2).rated != plan().rated
    # a shorter run begins as a longer one does not: it is a sample of its own, without repetition
    assert len({prompt.id for prompt in plan(1824).prompts}) == 1824


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_share_of_rated_answers(share: float) -> None:
    # 1,824 draws: four standard deviations are at most 4 * (0.25 / 1824) ** 0.5 = 0.047
    assert len(plan(1824, feedback_share=share).rated) / 1824 == pytest.approx(share, abs=0.047 if share % 1 else 0)


async def test_every_prompt_is_asked_once_and_a_quarter_is_streamed() -> None:
    gateway, planned = FakeGateway(), plan()
    progress = await ran(gateway, planned)
    asked = [line.split()[1] for line in gateway.log if not line.startswith("rate")]
    assert asked == [f"demo-1-{index}" for index in range(len(planned.prompts))]
    assert sum(line.startswith("stream") for line in gateway.log) == 21
    assert [reply.decision_id for reply in progress.replies] == [f"dec_{request_id}" for request_id in asked]


async def test_ratings_come_so_many_waves_late_and_all_come() -> None:
    gateway, planned = FakeGateway(), plan(feedback_share=1.0)
    progress = await ran(gateway, planned)
    kinds = [line.split()[0] for line in gateway.log]
    waves_before_first_rating = kinds.index("rate") / WAVE
    assert waves_before_first_rating == planned.delay + 1
    assert [line for line in gateway.log if "rate" in line] == ["rate 16"] * 5 + ["rate 3"]
    assert len(gateway.verdicts) == len(progress.lags) == len(planned.prompts)
    assert progress.lags[0][0] == 3 * WAVE


async def test_verdicts_are_the_recorded_qualities_by_decision_or_by_completion() -> None:
    gateway, planned = FakeGateway(), plan(feedback_share=1.0)
    await ran(gateway, planned)
    for index, verdict in enumerate(gateway.verdicts):
        body = verdict.body()
        assert body["quality"] == planned.prompts[index].recorded["llama-3.1-8b"].quality
        assert set(body) == {"quality", "source", "completion_id" if index % 3 == 0 else "decision_id"}


async def test_without_feedback_nothing_is_posted() -> None:
    gateway = FakeGateway()
    await ran(gateway, plan(feedback_share=0.0))
    assert not gateway.verdicts
    assert not any(line.startswith("rate") for line in gateway.log)


async def test_a_failed_request_ends_the_run() -> None:
    with pytest.raises(CallFailed, match="demo-1-20"):
        await ran(FakeGateway(fail_at="demo-1-20"), plan())
