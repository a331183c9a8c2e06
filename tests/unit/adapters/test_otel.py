"""Calls and ratings as OpenTelemetry has them, by the real SDK into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from support.called import BODY, CONTEXT, STREAMED
from support.in_process import LARGE, SMALL, gateway_settings
from support.told_telemetry import ToldTelemetry
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.otel import resource
from tiercel.config.settings import Settings
from tiercel.domain.errors import ProviderTimeout
from tiercel.domain.request import RequestContext
from tiercel.library.router import AsyncRouter
from tiercel.services.completion import AllModelsFailed
from tiercel.testing import ManualClock, Reply, ScriptedProvider, completion, error_reply, stream

PARENT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1"}
CANARY = "CANARY-7f3a"


class Traced:
    """A router that tells telemetry into memory."""

    def __init__(self, *replies: Reply, settings: Settings | None = None, told: ToldTelemetry | None = None) -> None:
        self.told = told or ToldTelemetry()
        self.provider = ScriptedProvider(*replies)
        self.clock = ManualClock()
        self.router = AsyncRouter(
            policy="tier-rules",
            settings=settings or gateway_settings(),
            store=MemoryStore(),
            providers={"scripted": self.provider},
            clock=self.clock,
            telemetry=self.told.telemetry,
        )

    async def call(
        self, body: dict[str, object] = BODY, request: RequestContext = CONTEXT, parent: dict[str, str] | None = None
    ) -> str:
        """Call, and read the answer to its end; the decision's id."""
        answer = await self.router.completions.open(body, request, parent=parent or {})
        async for _ in answer.body:
            self.clock.advance(0.5)
        return answer.decision.id

    def span(self) -> ReadableSpan:
        (span,) = self.told.spans
        return span


@pytest.fixture
async def opened() -> AsyncIterator[list[Traced]]:
    made: list[Traced] = []
    yield made
    for traced in made:
        await traced.router.close()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_call_is_a_span_of_the_conventions_with_its_decision(opened: list[Traced]) -> None:
    traced = Traced(completion(prompt_tokens=100, completion_tokens=20, completion_id="chatcmpl-9"))
    opened.append(traced)
    decision_id = await traced.call()
    span = traced.span()
    assert (span.name, span.kind, span.parent, span.status.status_code) == (
        "chat upstream-small",
        SpanKind.CLIENT,
        None,
        StatusCode.UNSET,
    )
    decision = traced.router.core.find(decision_id)[0]
    assert attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "upstream-small",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.id": "chatcmpl-9",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "server.address": "127.0.0.1",
        "server.port": 9,
        "tiercel.decision.id": decision_id,
        "tiercel.policy": "tier-rules",
        "tiercel.propensity": decision.propensity,
        "tiercel.model": "small",
        "tiercel.tier": "cheap",
        "tiercel.explored": decision.explored,
        "tiercel.workflow": "w",
        "tiercel.stage": "s",
        "tiercel.stream": False,
        "tiercel.usage_estimated": False,
        "tiercel.cost_usd": pytest.approx(140e-6),
    }
    (event,) = span.events
    assert event.name == "tiercel.decision"
    assert (event.attributes or {})["tiercel.candidates"] == 2
    assert span.resource.attributes["service.name"] == "tiercel"


async def test_the_callers_trace_goes_on_and_is_handed_upstream(opened: list[Traced]) -> None:
    traced = Traced()
    opened.append(traced)
    await traced.call(parent=PARENT)
    span = traced.span()
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
    )
    (call,) = traced.provider.calls
    assert call.headers == {
        "traceparent": f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01",
        "tracestate": "vendor=1",
    }


@pytest.mark.parametrize("given", [{"traceparent": "nonsense"}, {"traceparent": "00-0-0-01\r\nx: y"}])
async def test_a_trace_that_is_none_begins_one(opened: list[Traced], given: dict[str, str]) -> None:
    traced = Traced()
    opened.append(traced)
    await traced.call(parent=given)
    assert traced.span().parent is None
    assert set(traced.provider.calls[0].headers) == {"traceparent"}


async def test_a_stream_tells_its_first_token_and_its_end(opened: list[Traced]) -> None:
    traced = Traced(stream("a", "b"))
    opened.append(traced)
    await traced.call(STREAMED)
    told = attributes(traced.span())
    assert (told["tiercel.stream"], told["gen_ai.response.model"]) == (True, "scripted")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (10, 2)
    points = traced.told.points()
    assert points["gen_ai.client.operation.time_to_first_chunk"][0].count == 1


async def test_histograms_have_the_units_and_attributes_of_the_conventions(opened: list[Traced]) -> None:
    traced = Traced(completion(prompt_tokens=100, completion_tokens=20))
    opened.append(traced)
    for _ in range(3):
        await traced.call()
    points = traced.told.points()
    (duration,) = points["gen_ai.client.operation.duration"]
    about = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "upstream-small",
        "gen_ai.response.model": "scripted",
        "server.address": "127.0.0.1",
        "server.port": 9,
    }
    assert (duration.count, dict(duration.attributes or {})) == (3, about)
    tokens = {(p.attributes or {})["gen_ai.token.type"]: p.sum for p in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": 300, "output": 60}
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert "gen_ai.client.operation.time_to_first_chunk" not in points


async def test_tokens_that_were_only_estimated_are_in_no_metric(opened: list[Traced]) -> None:
    traced = Traced(stream("a", "b", usage=False))
    opened.append(traced)
    await traced.call(STREAMED)
    assert attributes(traced.span())["tiercel.usage_estimated"] is True
    assert "gen_ai.client.token.usage" not in traced.told.points()


async def test_a_failure_and_the_call_that_helps_out_are_two_spans(opened: list[Traced]) -> None:
    traced = Traced(Reply(refuses=ProviderTimeout()), completion())
    opened.append(traced)
    await traced.call(parent=PARENT)
    first, second = traced.told.spans
    assert (first.name, second.name) == ("chat upstream-small", "chat upstream-large")
    assert (first.status.status_code, attributes(first)["error.type"]) == (StatusCode.ERROR, "timeout")
    assert "error.type" not in attributes(second)
    assert attributes(second)["tiercel.fallback_from"] == "small"
    assert first.context.trace_id == second.context.trace_id
    durations = traced.told.points()["gen_ai.client.operation.duration"]
    assert [(point.attributes or {}).get("error.type") for point in durations] == ["timeout", None]


async def test_where_all_fail_all_are_told(opened: list[Traced]) -> None:
    traced = Traced(error_reply(503))
    opened.append(traced)
    with pytest.raises(AllModelsFailed):
        await traced.call()
    assert [attributes(span)["error.type"] for span in traced.told.spans] == ["status_503", "status_503"]


async def test_a_request_that_is_wrong_ends_its_span(opened: list[Traced]) -> None:
    traced = Traced(error_reply(422))
    opened.append(traced)
    await traced.call()
    assert (traced.span().status.status_code, attributes(traced.span())["error.type"]) == (StatusCode.ERROR, "422")
    assert traced.told.points() == {}


async def test_a_client_that_leaves_is_no_error(opened: list[Traced]) -> None:
    traced = Traced(stream("a", hangs=True, done=False))
    opened.append(traced)
    answer = await traced.router.completions.open(STREAMED, CONTEXT)
    await anext(answer.body)
    await answer.body.aclose()
    told = attributes(traced.span())
    assert told["tiercel.client_left"] is True
    assert "error.type" not in told


async def test_a_rating_is_an_evaluation_in_the_trace_of_its_call(opened: list[Traced]) -> None:
    traced = Traced(completion(completion_id="chatcmpl-9"))
    opened.append(traced)
    decision_id = await traced.call()
    await traced.router.record_feedback(decision_id, 0.25, source=f"user:{CANARY}", metadata={"name": CANARY})
    await traced.router.record_feedback(decision_id, 0.25, source="user:2", id="same")
    await traced.router.record_feedback(decision_id, 0.25, source="user:2", id="same")
    first, second = (record.log_record for record in traced.told.events)
    span = traced.span()
    assert (first.event_name, second.event_name) == ("gen_ai.evaluation.result",) * 2
    assert (first.trace_id, first.span_id) == (span.context.trace_id, span.context.span_id)
    assert dict(first.attributes or {}) == {
        "gen_ai.evaluation.name": "tiercel.quality",
        "gen_ai.evaluation.score.value": 0.25,
        "gen_ai.response.id": "chatcmpl-9",
        "tiercel.decision.id": decision_id,
        "tiercel.model": "small",
        "tiercel.tier": "cheap",
    }


async def test_a_rating_of_what_was_answered_elsewhere_names_its_decision(opened: list[Traced]) -> None:
    traced = Traced()
    opened.append(traced)
    decision = traced.router.decide("w", "s")
    await traced.router.record_feedback(decision.id, 1.0)
    (record,) = traced.told.events
    assert (record.log_record.attributes or {})["tiercel.decision.id"] == decision.id
    assert not record.log_record.trace_id


async def test_what_is_not_sampled_is_not_sent_and_the_caller_decides_for_its_own(opened: list[Traced]) -> None:
    traced = Traced(told=ToldTelemetry(ParentBased(ALWAYS_OFF)))
    opened.append(traced)
    await traced.call()
    assert traced.told.spans == []
    assert int(traced.provider.calls[0].headers["traceparent"][-2:], 16) & 1 == 0
    await traced.call(parent=PARENT)
    assert len(traced.told.spans) == 1
    assert traced.told.points()["gen_ai.client.operation.duration"][0].count == 2


async def test_nothing_of_prompts_answers_or_people_is_told(opened: list[Traced]) -> None:
    traced = Traced(completion(CANARY), stream(CANARY, CANARY), error_reply(422, CANARY), error_reply(500, CANARY))
    opened.append(traced)
    request = RequestContext(
        workflow="w", stage="s", agent_id=f"agent-{CANARY}", session_id=CANARY, requires=(), prompt=CANARY
    )
    message = {"role": "user", "content": CANARY, "name": CANARY}
    body = {"messages": [message], "user": CANARY, "metadata": {"user_id": CANARY}, "temperature": 0.5}
    decision_id = await traced.call(body, request)
    await traced.call({**body, "stream": True}, request)
    await traced.call(body, request)
    with pytest.raises(AllModelsFailed):
        await traced.call(body, request)
    await traced.router.record_feedback(decision_id, 0.5, source=CANARY, metadata={CANARY: CANARY}, id=CANARY)
    assert len(traced.told.spans) == 5
    assert len(traced.told.events) == 1
    assert CANARY not in traced.told.everything()


def test_who_tells_may_be_said_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "router-eu")
    assert resource().attributes["service.name"] == "router-eu"


async def test_without_telemetry_nothing_is_added_upstream() -> None:
    provider = ScriptedProvider()
    router = AsyncRouter(
        policy="tier-rules",
        settings=gateway_settings([SMALL, LARGE]),
        store="memory://",
        providers={"scripted": provider},
    )
    answer = await router.completions.open(BODY, CONTEXT)
    async for _ in answer.body:
        pass
    await router.close()
    assert provider.calls[0].headers == {}
