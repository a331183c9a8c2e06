"""Every path a call can take ends in the right answer, and in its outcome recorded exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.called import BODY, STREAMED, Called
from support.in_process import gateway_settings, model
from tiercel.config.settings import RouteSettings
from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout, ProviderUnreachable
from tiercel.services.calling.model_call import MAX_ANSWER_BYTES
from tiercel.services.completion import AllModelsFailed
from tiercel.testing import Reply, ScriptedProvider, completion, error_reply, stream


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Called.opened:
        router = Called.opened.pop().router
        assert not any(router.completions.in_flight.of(model.model_id) for model in router.core.catalogue)
        router.learner.close()


async def test_a_whole_answer() -> None:
    called = Called(completion("hello", prompt_tokens=10, completion_tokens=5))
    answer, body = await called.call()
    assert (answer.status, answer.model.model_id, answer.streaming) == (200, "small", False)
    assert json.loads(body)["choices"][0]["message"]["content"] == "hello"
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.model, outcome.completion_id) == (True, "small", "chatcmpl-1")
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (10, 5)
    assert outcome.cost_usd == pytest.approx(20 / 1e6)


async def test_the_upstream_sees_its_own_name_for_the_model_and_the_rest_unchanged() -> None:
    called = Called()
    await called.call({**BODY, "temperature": 0.25, "own_field": [1, "\u00e9"]})
    assert called.provider.calls[0].body == {
        **BODY,
        "temperature": 0.25,
        "own_field": [1, "\u00e9"],
        "model": "upstream-small",
    }


FAILURES: list[tuple[Reply, str]] = [
    (Reply(refuses=ProviderUnreachable()), "unreachable"),
    (Reply(refuses=ProviderTimeout()), "timeout"),
    (Reply(breaks=ProviderTimeout()), "timeout"),
    (error_reply(500), "status_500"),
    (error_reply(429), "status_429"),
    (error_reply(401), "status_401"),
    (error_reply(404), "status_404"),
    (Reply((), 302, {"location": "elsewhere"}), "status_302"),
    (Reply((b"<html>",)), "protocol_error"),
    (Reply((b'{"choices": []}',)), "protocol_error"),
    (Reply((b'{"choices": [{}]}',), breaks=ProviderProtocolError()), "protocol_error"),
]


@pytest.mark.parametrize(("failure", "word"), FAILURES)
async def test_a_failure_before_the_first_byte_is_followed_by_another_model(failure: Reply, word: str) -> None:
    called = Called(failure, completion("from the other"))
    answer, body = await called.call()
    assert b"from the other" in body
    assert (answer.decision.model, answer.model.model_id) == ("small", "large")
    assert [(attempt.model, attempt.error) for attempt in answer.attempts] == [("small", word)]
    failed, succeeded = called.outcomes()
    assert (failed.model, failed.success, failed.error, failed.fallback_from) == ("small", False, word, "")
    assert (succeeded.model, succeeded.success, succeeded.fallback_from) == ("large", True, "small")
    assert called.router.core.find(answer.decision.id)[1] == "large", "feedback is about the model that answered"


@pytest.mark.parametrize(("failure", "word"), FAILURES)
async def test_both_failed(failure: Reply, word: str) -> None:
    called = Called(error_reply(500), failure)
    with pytest.raises(AllModelsFailed) as failed:
        await called.call()
    assert str(failed.value) == f"no model answered (small: status_500, large: {word})"
    assert failed.value.timed_out is (word == "timeout")
    assert [outcome.success for outcome in called.outcomes()] == [False, False]
    assert len(called.provider.calls) == 2, "one fallback and no more"


@pytest.mark.parametrize("tokens", [None, "12", 12.5, -1, 10**400])
async def test_usage_that_cannot_be_is_unknown(tokens: object) -> None:
    answered: dict[str, Any] = {"id": None, "choices": [{}], "usage": {"prompt_tokens": tokens, "completion_tokens": 1}}
    called = Called(Reply((json.dumps(answered).encode(),)))
    await called.call()
    (outcome,) = called.outcomes()
    assert (outcome.success, outcome.prompt_tokens, outcome.completion_tokens) == (True, None, None)
    assert (outcome.cost_usd, outcome.completion_id) == (None, "")


async def test_a_model_asked_for_by_name_has_no_fallback() -> None:
    called = Called(error_reply(500))
    with pytest.raises(AllModelsFailed):
        await called.call(model="large")
    assert [(o.model, o.success) for o in called.outcomes()] == [("large", False)]


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
async def test_the_callers_fault_is_passed_on_and_held_against_no_model(status: int, body: dict[str, Any]) -> None:
    called = Called(error_reply(status, "max_tokens is too large"))
    answer, passed = await called.call(body)
    assert (answer.status, answer.streaming) == (status, False)
    assert json.loads(passed)["error"]["message"] == "max_tokens is too large"
    assert called.outcomes() == []
    assert len(called.provider.calls) == 1


async def test_an_answer_without_end_is_not_kept() -> None:
    piece = b" " * (1 << 20)
    called = Called(Reply((piece,) * (MAX_ANSWER_BYTES // len(piece) + 1)))
    with pytest.raises(AllModelsFailed):
        await called.call(model="small")
    assert called.provider.left == 1


async def test_a_model_without_a_provider_is_passed_over() -> None:
    other = ScriptedProvider(completion("unused"))
    called = Called(providers={"another": other})
    with pytest.raises(AllModelsFailed, match="small: no_provider, large: no_provider"):
        await called.call()
    assert other.calls == []


ANY_REPLY = st.sampled_from(
    [
        *(reply for reply, _ in FAILURES),
        stream("a", "b"),
        stream("a", "b", done=False),
        stream("a", "b", done=False, breaks=ProviderTimeout()),
        completion(),
    ]
)


@given(script=st.lists(ANY_REPLY, min_size=1, max_size=3), streamed=st.booleans(), read=st.integers(0, 5))
async def test_one_outcome_per_call_that_was_not_the_callers_fault(
    *, script: Sequence[Reply], streamed: bool, read: int
) -> None:
    called = Called(*script)
    try:
        answer = await called.open(STREAMED if streamed else BODY)
        for _ in range(read):
            await anext(answer.body, None)
        await answer.body.aclose()
    except ProviderError:
        pass
    models = [outcome.model for outcome in called.outcomes()]
    assert models == ["small", "large"][: len(called.provider.calls)]


@pytest.mark.parametrize(
    ("tiers", "chosen", "fallback"),
    [
        (("cheap", "capable", "premium"), "cheap", "capable"),
        (("cheap", "capable", "premium"), "capable", "premium"),
        (("cheap", "capable", "premium"), "premium", "capable"),
        (("cheap", "premium"), "cheap", "premium"),
    ],
)
async def test_the_fallback_is_the_nearest_tier_upwards_first(tiers: Sequence[str], chosen: str, fallback: str) -> None:
    models = [model(f"m-{tier}", tier) for tier in tiers]
    route = RouteSettings(policy="fixed", model=f"m-{chosen}")
    called = Called(error_reply(500), completion(), settings=gateway_settings(models, routes=(route,)))
    answer, _ = await called.call()
    assert (answer.decision.tier, answer.model.tier) == (chosen, fallback)
