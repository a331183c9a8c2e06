"""A route's judge: which answers are graded, what becomes of the grades, and that nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.called import STREAMED
from support.judged import GOOD, HANGS, JUDGED, JUNK, Bench, Watched, judged_settings, settle
from tiercel.config.settings import ServerSettings
from tiercel.core.grading import JudgeSettings, rubric_hash
from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderUnreachable
from tiercel.domain.events import CLIENT_LEFT, Outcome
from tiercel.domain.request import RequestContext
from tiercel.library.router import Router
from tiercel.ports import START
from tiercel.services.completion import AllModelsFailed
from tiercel.services.judging import judged_answers
from tiercel.services.judging.judging import JudgingSettings
from tiercel.services.rating.intake import FeedbackIntake
from tiercel.testing import ManualClock, Reply, completion, error_reply, stream

Make = Callable[..., Bench]


@pytest.fixture
async def bench() -> AsyncIterator[Make]:
    made: list[Bench] = []

    def make(**fields: Any) -> Bench:  # noqa: ANN401 - those of `Bench`
        made.append(Bench(**fields))
        return made[-1]

    yield make
    for each in made:
        each.store.away = False
        await each.router.close()


async def test_a_grade_is_a_rating_of_the_decision(bench: Make) -> None:
    b = bench(judge=JudgeSettings(model="judge", rate=1.0, rubric="short", options={"temperature": 0}))
    decision = await b.call()
    (rating,) = b.ratings()
    (called,) = [d for d in b.logged(Decision) if d.policy == "requested"]
    assert (decision.will_judge, decision.judge_rate) == (True, 1.0)
    assert (rating.decision_id, rating.quality, rating.source) == (decision.id, 0.8, "judge:judge")
    assert (rating.segment, rating.model, rating.tier) == (decision.segment, decision.model, decision.tier)
    assert rating.metadata == {
        "judge_decision_id": called.id,
        "grade": 8.0,
        "rubric": rubric_hash("short"),
        "shortened": False,
        "completion_tokens": 2,
    }
    assert b.fates() == {"drawn": 1, "graded": 1}
    assert b.counts.under_way == 0


async def test_the_judges_call_is_measured_and_is_not_judged_itself(bench: Make) -> None:
    b = bench()
    await b.call()
    (called,) = [d for d in b.logged(Decision) if d.policy == "requested"]
    (outcome,) = [o for o in b.logged(Outcome) if o.decision_id == called.id]
    assert called.segment == ("stage", "tiercel", "judge")
    assert (called.model, called.propensity, called.will_judge) == ("judge", 1.0, None)
    assert (outcome.success, outcome.cost_usd) == (True, pytest.approx(110 / 1e6))
    assert len(b.judging.calls) == 1


async def test_the_judge_sees_what_was_asked_and_answered_but_not_by_whom(bench: Make) -> None:
    b = bench(judge=JudgeSettings(model="judge", rate=1.0, rubric="is polite", options={"temperature": 0}))
    await b.call({"messages": [{"role": "user", "content": "How do you do?"}], "temperature": 1})
    sent = b.judging.calls[0].body
    assert (sent["model"], sent["temperature"], len(sent["messages"])) == ("upstream-judge", 0, 1)
    text = sent["messages"][0]["content"]
    assert all(part in text for part in ("is polite", "user: How do you do?", "\nHello\n"))
    assert not any(name in text for name in ("small", "large", "scripted", "upstream", "chatcmpl"))


async def test_the_share_that_is_judged_is_the_coins_and_repeats_under_a_seed(bench: Make) -> None:
    judge = JudgeSettings(model="judge", rate=0.2)
    judged: list[list[bool]] = []
    for _ in range(2):
        b = bench(judge=judge, server=ServerSettings(seed=3))
        decisions = [await b.call(request_id=f"r{i}", settled=False) for i in range(400)]
        await settle()
        rated = {rating.decision_id for rating in b.ratings()}
        assert {d.id for d in decisions if d.will_judge} == rated
        assert {d.judge_rate for d in decisions} == {0.2}
        assert b.fates() == {"drawn": len(rated), "graded": len(rated)}
        judged.append([bool(d.will_judge) for d in decisions])
    assert judged[0] == judged[1]
    assert abs(sum(judged[0]) / 400 - 0.2) < 0.1  # five standard errors


async def test_what_no_judge_can_see_or_nobody_appointed_one_for_is_not_drawn(bench: Make) -> None:
    b = bench()
    asked = await b.call(model="small")
    elsewhere = await b.call(context=RequestContext(workflow="other", stage="s"))
    decided = b.router.decide("w", "s")
    assert [d.will_judge for d in (asked, elsewhere, decided)] == [None, None, None]
    assert (b.fates(), b.judging.calls) == ({}, [])


@pytest.mark.parametrize("left_on", [b'"finish_reason": "stop"', b"[DONE]", b"never"])
async def test_a_stream_is_graded_by_what_was_sent(bench: Make, left_on: bytes) -> None:
    b = bench(answers=[stream("Good ", "day ", "to you")])
    answer = await b.router.completions.open(STREAMED, JUDGED)
    # clients close when they have seen the end, by whichever sign, or read on
    async for chunk in answer.body:
        if left_on in chunk:
            break
    await answer.body.aclose()
    await settle()
    assert "\nGood day to you\n" in b.judging.calls[0].body["messages"][0]["content"]
    assert b.fates() == {"drawn": 1, "graded": 1}


async def test_whoever_leaves_early_leaves_nothing_to_grade(bench: Make) -> None:
    b = bench(answers=[stream("a", "b", "c")])
    answer = await b.router.completions.open(STREAMED, JUDGED)
    await anext(answer.body)
    await answer.body.aclose()
    await answer.body.aclose()
    at_once = await b.router.completions.open(STREAMED, JUDGED)
    await at_once.body.aclose()
    await settle()
    assert (b.fates(), b.judging.calls, answer.decision.will_judge) == ({"drawn": 2, "unanswered": 2}, [], True)


async def test_a_broken_stream_is_not_graded(bench: Make) -> None:
    b = bench(answers=[stream("a", "b", done=False, breaks=ProviderUnreachable())])
    with pytest.raises(ProviderUnreachable):
        await b.call(STREAMED)
    await settle()
    assert (b.fates(), b.judging.calls) == ({"drawn": 1, "unanswered": 1}, [])


@pytest.mark.parametrize("answer", [error_reply(400), completion(" ")])
async def test_an_answer_that_says_nothing_is_not_graded(bench: Make, answer: Reply) -> None:
    b = bench(answers=[answer])
    decision = await b.call()
    assert (b.fates(), b.judging.calls, decision.will_judge) == ({"drawn": 1, "unanswered": 1}, [], True)


async def test_no_answer_is_counted_too(bench: Make) -> None:
    b = bench(answers=[error_reply(503), error_reply(503), HANGS])
    with pytest.raises(AllModelsFailed):
        await b.call()
    waiting = asyncio.create_task(b.call(settled=False))
    await b.answering.asked(3)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert b.fates() == {"drawn": 2, "unanswered": 2}


async def test_the_grade_is_of_the_model_that_answered(bench: Make) -> None:
    b = bench(answers=[error_reply(503), completion()])
    decision = await b.call()
    (rating,) = b.ratings()
    assert {decision.model, rating.model} == {"small", "large"}


async def test_a_reply_without_a_grade_is_asked_for_once_more(bench: Make) -> None:
    b = bench(grades=[JUNK, GOOD])
    await b.call()
    assert [rating.quality for rating in b.ratings()] == [0.8]
    assert b.fates() == {"drawn": 1, "graded": 1, "unparsable": 1}


async def test_no_grade_is_invented(bench: Make) -> None:
    b = bench(grades=[JUNK])
    await b.call()
    assert (b.ratings(), len(b.judging.calls)) == ([], 2)
    assert b.fates() == {"drawn": 1, "failed": 1, "unparsable": 2}


@pytest.mark.parametrize("reply", [error_reply(503), error_reply(400), Reply(refuses=ProviderUnreachable())])
async def test_a_judge_that_fails_is_not_asked_again_nor_another_in_its_place(bench: Make, reply: Reply) -> None:
    b = bench(grades=[reply])
    await b.call()
    assert (b.ratings(), len(b.judging.calls), len(b.answering.calls)) == ([], 1, 1)
    assert b.fates() == {"drawn": 1, "failed": 1}


async def test_a_judge_that_never_answers_delays_neither_answers_nor_the_end(bench: Make) -> None:
    b = bench(grades=[HANGS], limits=JudgingSettings(max_waiting=3, max_calls=2))
    for n in range(10):
        await b.call(settled=False)
        await b.judging.asked(min(n + 1, 2))
    # two are being graded, three wait, and the others found no room
    assert (b.fates(), b.counts.under_way) == ({"drawn": 10, "dropped": 5}, 5)
    async with asyncio.timeout(5):
        await b.router.close()
    assert (b.fates(), b.counts.under_way) == ({"drawn": 10, "dropped": 10}, 0)
    assert (b.judging.closed, b.answering.closed) == (True, True)
    ended = [e for e in b.store.events_after(START, 1000)[0] if isinstance(e, Outcome) and e.model == "judge"]
    assert [(outcome.success, outcome.error) for outcome in ended] == [(True, CLIENT_LEFT)] * 2


async def test_waiting_answers_are_bounded_in_bytes_too(bench: Make) -> None:
    b = bench(
        grades=[HANGS], limits=JudgingSettings(max_calls=1, max_waiting_bytes=900), answers=[completion("x" * 500)]
    )
    for _ in range(3):
        await b.call(settled=False)
    assert b.fates() == {"drawn": 3, "dropped": 2}


async def test_nothing_is_offered_after_the_end(bench: Make) -> None:
    b = bench()
    answer = await b.router.completions.open(STREAMED | {"stream": False}, JUDGED)
    await b.router.completions.close()
    await anext(answer.body)
    await answer.body.aclose()
    assert (b.fates(), b.judging.calls) == ({"drawn": 1, "dropped": 1}, [])


async def test_nothing_is_spent_on_grades_while_the_store_is_away(bench: Make) -> None:
    b = bench()
    b.store.away = True
    b.router.learner.leave(b.router.decide("other", "s"))
    await asyncio.to_thread(b.store.wait_until_noticed)
    await b.call()
    assert (b.fates(), b.judging.calls) == ({"drawn": 1, "dropped": 1}, [])


async def test_calls_a_minute_are_bounded_retries_included(bench: Make) -> None:
    b = bench(judge=JudgeSettings(model="judge", rate=1.0, max_calls_per_minute=3), grades=[GOOD, JUNK, JUNK, GOOD])
    for _ in range(3):
        await b.call()
    assert b.fates() == {"drawn": 3, "graded": 1, "unparsable": 2, "failed": 1, "dropped": 1}
    b.clock.advance(59.9)
    await b.call()
    b.clock.advance(0.1)
    await b.call()
    assert (b.counts.dropped, b.counts.graded, len(b.judging.calls)) == (2, 2, 4)


async def test_what_the_judge_cannot_hold_loses_its_middle(bench: Make) -> None:
    b = bench(answers=[completion("start" + "x" * 40_000 + "end")])
    await b.call()
    text = b.judging.calls[0].body["messages"][0]["content"]
    assert "\nstartx" in text
    assert "xend\n" in text
    assert len(text) < 3 * 8_000
    assert b.ratings()[0].metadata["shortened"] is True


async def test_an_answer_too_long_to_keep_is_dropped(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged_answers, "MAX_KEPT_BYTES", 300)
    b = bench(answers=[stream("a", "b", "c", "d")])
    await b.call(STREAMED)
    assert (b.fates(), b.judging.calls) == ({"drawn": 1, "dropped": 1}, [])


async def test_a_fault_in_one_grading_does_not_end_those_that_follow(
    bench: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    b = bench()
    real = FeedbackIntake.send
    faults = [ZeroDivisionError("of tiercel's own")]

    def send(self: FeedbackIntake, requests: Any) -> Any:  # noqa: ANN401
        if faults:
            raise faults.pop()
        return real(self, requests)

    monkeypatch.setattr(FeedbackIntake, "send", send)
    for _ in range(2):
        await b.call(settled=False)
    await settle()
    assert b.fates() == {"drawn": 2, "failed": 1, "graded": 1}
    assert "fault of tiercel" in caplog.text


def test_a_router_for_threads_ends_with_the_loop_it_was_called_in() -> None:
    answering, judging = Watched(), Watched(GOOD, HANGS)

    async def call(router: Router) -> None:
        await router.complete([{"role": "user", "content": "hi"}], workflow="w", stage="s")
        await judging.asked(len(answering.calls))

    async def settled(router: Router) -> None:
        await call(router)
        await settle()

    providers = {"scripted": answering, "judging": judging}
    router = Router(settings=judged_settings(), store="memory://", providers=providers, clock=ManualClock())
    asyncio.run(settled(router))
    asyncio.run(call(router))
    asyncio.run(call(router))
    router.close()
    counts = router.judge_counts
    assert (counts.drawn, counts.graded, counts.dropped, counts.under_way) == (3, 1, 2, 0)


async def test_a_router_for_threads_can_be_closed_while_a_judge_is_called() -> None:
    answering, judging = Watched(), Watched(HANGS)
    providers = {"scripted": answering, "judging": judging}
    router = Router(settings=judged_settings(), store="memory://", providers=providers, clock=ManualClock())
    await router.complete([{"role": "user", "content": "hi"}], workflow="w", stage="s")
    await judging.asked(1)
    router.close()
    await settle()
    assert (router.judge_counts.dropped, router.judge_counts.under_way) == (1, 0)
