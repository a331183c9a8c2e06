"""The stock OpenAI client through the gateway, by changing base_url only."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from support.servers import Gateway, gateway, get, post

MODELS = [("ok", "cheap"), ("ok-too", "capable"), ("ok-best", "premium")]
MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway"), MODELS) as started:
        yield started


@pytest.fixture
def client(served: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0) as opened:
        yield opened


def test_a_completion(served: Gateway, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=MESSAGES, metadata={"workflow": "acceptance", "stage": "whole"}
    )
    completion = raw.parse()
    assert completion.choices[0].message.content == "I am ok."
    assert completion.usage is not None
    assert raw.headers["x-tiercel-model"] == "ok"
    assert raw.headers["x-tiercel-tier"] == "cheap"
    assert raw.headers["x-tiercel-policy"] == "tier-rules"
    decision = get(f"{served.url}/v1/decisions/{raw.headers['x-tiercel-decision-id']}")
    assert decision["workflow"] == "acceptance"
    assert [outcome["success"] for outcome in decision["outcomes"]] == [True]
    assert decision["outcomes"][0]["cost_usd"] == pytest.approx((12 * 1.0 + 5 * 2.0) / 1e6)
    assert "metadata" not in get(f"{served.upstream_url}/seen")[-1], "the context is tiercel's, not the upstream's"


def test_a_stream(served: Gateway, client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="auto", messages=MESSAGES, stream=True) as raw:
        decision_id = raw.headers["x-tiercel-decision-id"]
        chunks = list(raw.parse())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "I am ok"
    outcome = get(f"{served.url}/v1/decisions/{decision_id}")["outcomes"][0]
    assert outcome["success"]
    assert (outcome["prompt_tokens"], outcome["completion_tokens"]) == (12, 5)
    assert 0 < outcome["first_token_ms"] <= outcome["latency_ms"]


def test_a_stream_with_usage_asked_for(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    usages = [chunk.usage for chunk in stream if chunk.usage]
    assert [usage.total_tokens for usage in usages] == [17]


def test_a_model_asked_for_by_name(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="ok-best", messages=MESSAGES)
    assert raw.headers["x-tiercel-policy"] == "requested"
    assert raw.parse().choices[0].message.content == "I am ok-best."


def test_an_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="gpt-99", messages=MESSAGES)
    assert error.value.code == "model_not_found"


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} >= {"auto", "ok", "ok-too", "ok-best"}


def test_feedback_by_decision_id_and_by_completion_id(served: Gateway, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES)
    decision_id = raw.headers["x-tiercel-decision-id"]
    by_decision = {"decision_id": decision_id, "quality": 0.9, "source": "user:1"}
    by_completion = {"completion_id": raw.parse().id, "stars": 4, "source": "user:2"}
    for body in (by_decision, by_completion):
        status, answer = post(f"{served.url}/v1/feedback", body)
        assert status == 202, answer
        assert answer["feedback_id"].startswith("feedback_")
    feedback = get(f"{served.url}/v1/decisions/{decision_id}")["feedback"]
    assert {entry["source"]: entry["quality"] for entry in feedback} == {"user:1": 0.9, "user:2": 0.75}
