"""The scripted upstream answers as the table says, and refuses what it has no answer to."""

import json
from typing import Any

import pytest

from tiercel.apps.demo.table import MODELS, latency_ms, prompts
from tiercel.apps.demo.upstream import Refused, Script
from tiercel.core.chat_protocol import StreamReader, read_completion

CHAT = "POST /v1/chat/completions"


@pytest.fixture(scope="module")
def script() -> Script:
    return Script(seed=3, speed=50.0)


def body(model: str, text: str, **more: object) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


@pytest.mark.parametrize("model", [model.model_id for model in MODELS])
def test_usage_and_latency_are_the_tables(script: Script, model: str) -> None:
    prompt = prompts()[17]
    answer = script.answer(CHAT, body(model, prompt.text))
    completion: dict[str, Any] = json.loads(answer.whole())
    recorded = prompt.recorded[model]
    assert completion["model"] == model
    assert completion["choices"][0]["message"]["content"].startswith("This is a replay")
    assert completion["usage"] == {
        "prompt_tokens": recorded.prompt_tokens,
        "completion_tokens": recorded.completion_tokens,
        "total_tokens": recorded.prompt_tokens + recorded.completion_tokens,
    }
    first_ms, total_ms = latency_ms(prompt, model, 3)
    assert (answer.first_s, answer.total_s) == pytest.approx((first_ms / 50_000, total_ms / 50_000))
    assert not answer.streamed


def test_a_stream_says_the_same_as_a_whole_answer(script: Script) -> None:
    answer = script.answer(CHAT, body("gemini-2.5-pro", prompts()[0].text, stream=True))
    assert answer.streamed
    reader = StreamReader(hide_usage=False)
    passed = b"".join(reader.feed(event) for event in answer.events()) + reader.end()
    whole = read_completion(answer.whole())
    assert reader.whole
    assert (reader.completion_id, reader.usage) == (whole.completion_id, whole.usage)
    events = [json.loads(line[6:]) for line in passed.decode().split("\n\n") if line and "[DONE]" not in line]
    said = "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
    assert said == json.loads(answer.whole())["choices"][0]["message"]["content"]


def test_every_answer_has_an_id_of_its_own(script: Script) -> None:
    asked = body("llama-3.1-8b", prompts()[0].text)
    assert len({read_completion(script.answer(CHAT, asked).whole()).completion_id for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("line", "sent", "status", "said"),
    [
        ("GET /v1/models", b"", 404, "not GET /v1/models"),
        (CHAT, b"{", 400, "a chat request needs"),
        (CHAT, b"[]", 400, "a chat request needs"),
        (CHAT, b'{"model": "llama-3.1-8b", "messages": []}', 400, "a chat request needs"),
        (CHAT, body("llama-3.1-8b", "Who are you?"), 422, "knows only the 1824 prompts"),
        (CHAT, body("gpt-99", prompts()[0].text), 404, "no model 'gpt-99'"),
    ],
)
def test_what_it_has_no_answer_to(script: Script, line: str, sent: bytes, status: int, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        script.answer(line, sent)
    assert refused.value.status == status
