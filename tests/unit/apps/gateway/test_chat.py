from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from support.asgi import Exchange
from support.in_process import AwayStore, gateway_settings, gateway_state, model
from tiercel.apps.gateway.asgi import Gateway
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import RouteSettings, ServerSettings
from tiercel.domain.errors import ProviderError, ProviderTimeout
from tiercel.domain.events import Outcome
from tiercel.ports import START
from tiercel.testing import Reply, ScriptedProvider, completion, error_reply, stream

PATH = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = {**BODY, "stream": True}

Started = Callable[..., GatewayState]


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    states: list[GatewayState] = []

    def start(*args: Any, **options: Any) -> GatewayState:  # noqa: ANN401 - those of gateway_state
        states.append(gateway_state(*args, **options))
        return states[-1]

    yield start
    for state in states:
        await state.close()


async def ask(state: GatewayState, body: object = BODY, **headers: str) -> Exchange:
    return await Exchange(
        Gateway(state), PATH, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    ).end()


def outcomes(state: GatewayState) -> list[Outcome]:
    state.router.learner.flush(10)
    return [event for event in state.router.store.events_after(START, 1000)[0] if isinstance(event, Outcome)]


async def test_the_answer_is_the_upstreams_and_the_headers_say_who_gave_it(started: Started) -> None:
    answer = await ask(started(ScriptedProvider(completion("hello"))), x_request_id="mine-1")
    assert answer.status == 200
    assert answer.body == completion("hello").chunks[0]
    decision_id = answer.headers.pop("x-tiercel-decision-id")
    assert decision_id.startswith("dec_")
    assert answer.headers["content-length"] == str(len(answer.body))
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-")}
    assert told | {"x-tiercel-decision-id": ""} == {
        "x-request-id": "mine-1",
        "x-tiercel-decision-id": "",
        "x-tiercel-model": "small",
        "x-tiercel-tier": "cheap",
        "x-tiercel-policy": "tier-rules",
    }


@pytest.mark.parametrize("given", ["", "x" * 129, "a\x07b", "\u00fc"])
async def test_a_request_id_that_cannot_be_repeated_is_replaced(started: Started, given: str) -> None:
    answer = await ask(started(), x_request_id=given)
    assert answer.headers["x-request-id"].startswith("req_")


async def test_names_are_percent_encoded_where_a_header_cannot_hold_them(started: Started) -> None:
    settings = gateway_settings([model("g\u00fcnstig \u20ac", "cheap")])
    answer = await ask(started(settings=settings), {**BODY, "model": "g\u00fcnstig \u20ac"})
    assert answer.headers["x-tiercel-model"] == quote("g\u00fcnstig \u20ac")
    assert answer.headers["x-tiercel-policy"] == "requested"


@pytest.mark.parametrize(
    ("forward", "metadata", "sent"),
    [
        (False, {"workflow": "w", "customer": "7"}, None),
        (False, {}, None),
        (False, None, None),
        (True, {"workflow": "w", "customer": "7"}, {"customer": "7"}),
    ],
)
async def test_metadata_goes_upstream_only_when_told_to(
    started: Started, *, forward: bool, metadata: dict[str, str] | None, sent: dict[str, str] | None
) -> None:
    provider = ScriptedProvider()
    settings = gateway_settings(server=ServerSettings(forward_metadata=forward))
    await ask(started(provider, settings=settings), {**BODY, "metadata": metadata})
    assert provider.calls[0].body.get("metadata") == sent
    assert ("metadata" in provider.calls[0].body) is (sent is not None)


async def test_a_route_by_its_name_or_by_a_stage_it_matches(started: Started) -> None:
    route = RouteSettings(match="review/*", name="careful", models=("large",), policy="random")
    state = started(settings=gateway_settings(routes=(route,)))
    for name, expected in (("auto:careful", "large"), ("auto:review/code", "large"), ("auto", "small")):
        answer = await ask(state, {**BODY, "model": name})
        assert (answer.status, answer.headers["x-tiercel-model"]) == (200, expected), name
    state.router.learner.flush()
    decisions = reversed(state.router.store.recent_decisions(3))
    assert [d.segment[1:] for d in decisions] == [("careful", "default"), ("review", "code"), ("default", "default")]
    for name in ("auto:nothing", "auto:", "autox", "medium"):
        answer = await ask(state, {**BODY, "model": name})
        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found"), name


async def test_a_fallback_is_said(started: Started) -> None:
    answer = await ask(started(ScriptedProvider(error_reply(500), completion())))
    assert (answer.headers["x-tiercel-model"], answer.headers["x-tiercel-fallback-from"]) == ("large", "small")


async def test_a_prompt_too_long_for_every_model(started: Started) -> None:
    state = started()
    long = {**BODY, "messages": [{"role": "user", "content": "x" * 40_000}]}
    answer = await ask(state, long)
    assert (answer.status, answer.json["error"]["code"]) == (503, "no_eligible_model")
    assert answer.headers["retry-after"]
    assert {detail["path"] for detail in answer.json["error"]["details"]} == {"small", "large"}
    assert [alert.alert_type for alert in state.alerting.check()] == ["no_models_available"]


async def test_a_long_image_is_no_long_prompt(started: Started) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 200_000}}
    answer = await ask(started(), {**BODY, "messages": [{"role": "user", "content": [image]}]})
    assert answer.status == 200


async def test_all_models_failed(started: Started) -> None:
    answer = await ask(started(ScriptedProvider(error_reply(500, "secret of the upstream"))))
    assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_failed")
    assert b"secret" not in answer.body
    timed_out = await ask(started(ScriptedProvider(Reply(refuses=ProviderTimeout()))))
    assert (timed_out.status, timed_out.json["error"]["code"]) == (504, "upstream_timeout")


async def test_the_callers_fault_comes_back_as_the_upstream_said_it(started: Started) -> None:
    answer = await ask(started(ScriptedProvider(error_reply(400, "max_tokens is too large"))), STREAMED)
    assert (answer.status, answer.json["error"]["message"]) == (400, "max_tokens is too large")


async def test_a_store_that_is_away_stops_nothing(started: Started) -> None:
    store = AwayStore()
    state = started(store=store)
    store.away = True
    assert "x-tiercel-degraded" not in (await ask(state)).headers
    await asyncio.to_thread(store.wait_until_noticed)
    answer = await ask(state)
    assert (answer.status, answer.headers["x-tiercel-degraded"]) == (200, "true")
    store.away = False
    assert len(outcomes(state)) == 2


async def test_a_fault_of_ours_is_500_and_logged_once(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    state = started(ScriptedProvider(Reply(refuses=KeyError("a secret"))))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        answer = await ask(state, x_request_id="r-1")
    assert (answer.status, answer.json["error"]["code"]) == (500, "internal_error")
    assert b"secret" not in answer.body
    assert len(caplog.records) == 1
    assert (await ask(started())).status == 200


async def test_a_stream(started: Started) -> None:
    state = started(ScriptedProvider(stream("a", "b")))
    answer = await ask(state, STREAMED)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body == b"".join(chunk for chunk in stream("a", "b").chunks if b"usage" not in chunk)
    assert answer.messages[-1].get("more_body", False) is False
    assert [outcome.success for outcome in outcomes(state)] == [True]


@pytest.mark.parametrize("breaks", [None, ProviderTimeout()])
async def test_a_stream_that_breaks_ends_with_an_error_event(started: Started, breaks: ProviderError | None) -> None:
    state = started(ScriptedProvider(stream("a", "b", done=False, breaks=breaks)))
    answer = await ask(state, STREAMED)
    assert answer.status == 200
    *_, last, rest = answer.body.split(b"\n\n")
    assert rest == b""
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_broke"
    assert answer.messages[-1].get("more_body", False) is False
    assert [outcome.success for outcome in outcomes(state)] == [False]


async def test_a_client_that_leaves_in_the_middle_ends_the_call(started: Started) -> None:
    provider = ScriptedProvider(stream("a", "b", done=False, hangs=True))
    state = started(provider)
    under_way = Exchange(Gateway(state), PATH, body=STREAMED)
    await under_way.until(lambda exchange: b'"b"' in exchange.body)
    under_way.leave()
    await under_way.end()
    assert provider.left == 1
    (outcome,) = outcomes(state)
    assert (outcome.success, outcome.error, outcome.completion_tokens) == (True, "client_left", 2)


async def test_a_server_that_gives_up_on_a_stream_ends_the_call(started: Started) -> None:
    provider = ScriptedProvider(stream("a", done=False, hangs=True))
    state = started(provider)
    under_way = Exchange(Gateway(state), PATH, body=STREAMED)
    await under_way.until(lambda exchange: b'"a"' in exchange.body)
    under_way.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way.end()
    assert provider.left == 1
    assert [outcome.error for outcome in outcomes(state)] == ["client_left"]


async def test_a_stream_under_way_at_the_stop_ends_with_an_error_event_and_its_outcome(started: Started) -> None:
    provider = ScriptedProvider(stream("a", done=False, hangs=True))
    state = started(provider)
    under_way = Exchange(Gateway(state), PATH, body=STREAMED)
    await under_way.until(lambda exchange: b'"a"' in exchange.body)
    state.stop(0.0)
    await under_way.end()
    *_, last, rest = under_way.body.split(b"\n\n")
    assert (json.loads(last.removeprefix(b"data: "))["error"]["code"], rest) == ("stopping", b"")
    assert under_way.messages[-1].get("more_body", False) is False
    assert provider.left == 1
    assert [(outcome.success, outcome.error) for outcome in outcomes(state)] == [(True, "client_left")]


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
async def test_a_call_not_yet_answered_at_the_stop_is_503_and_has_its_outcome(
    started: Started, body: dict[str, Any]
) -> None:
    state = started(ScriptedProvider(Reply(hangs_before_head=True)))
    under_way = Exchange(Gateway(state), PATH, body=body)
    await asyncio.sleep(0)
    state.stop(0.0)
    state.stop(0.0)
    await under_way.end()
    assert (under_way.status, under_way.json["error"]["code"]) == (503, "stopping")
    assert [(outcome.success, outcome.error) for outcome in outcomes(state)] == [(True, "client_left")]


async def test_closing_waits_for_what_it_ends(started: Started) -> None:
    provider = ScriptedProvider(stream("a", done=False, hangs=True))
    state = started(provider)
    under_way = Exchange(Gateway(state), PATH, body=STREAMED)
    await under_way.until(lambda exchange: b'"a"' in exchange.body)
    await state.close()
    assert under_way.task.done()
    assert b"stopping" in under_way.body
    assert provider.closed


async def test_a_client_that_leaves_while_sending_is_not_answered(started: Started) -> None:
    state = started()
    sent: list[object] = []
    left = [{"type": "http.disconnect"}]

    async def receive() -> Any:  # noqa: ANN401 - an ASGI message
        return left.pop()

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"content-type", b"application/json")]}
    await Gateway(state)(scope, receive, send)
    assert sent == []


async def test_only_post(started: Started) -> None:
    answer = await Exchange(Gateway(started()), PATH, method="GET").end()
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
