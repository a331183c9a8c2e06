"""What is shown of requests and answers to a judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.core.chat_text import answer_text, conversation_text, streamed_answer_text, whole_answer_text
from tiercel.testing import completion, stream

CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}


def event(delta: object, index: int = 0) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": index, "delta": delta}]}).encode() + b"\n\n"


def test_a_conversation_is_its_messages_under_their_roles() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "a cat"},
    ]
    assert conversation_text(messages) == (
        'system: Be brief.\nuser: What is it?\n[image_url]\nassistant: [calls search with {"q": 1}]\ntool: a cat'
    )


def test_an_answer_says_the_same_whole_and_streamed() -> None:
    assert whole_answer_text(completion("I am fine").chunks[0]) == "I am fine"
    assert streamed_answer_text(b"".join(stream("I ", "am ", "fine").chunks)) == "I am fine"


def test_refusals_and_tool_calls_are_answers() -> None:
    message = {"content": None, "refusal": "No.", "tool_calls": [CALL]}
    assert answer_text({"choices": [{"message": message}]}) == 'No.\n[calls search with {"q": 1}]'
    parts = [
        event({"refusal": "No"}),
        event({"refusal": "."}),
        event({"tool_calls": [{"index": 0, "function": {"name": "search", "arguments": '{"q"'}}]}),
        event({"tool_calls": [{"index": 1, "function": {"name": "stop"}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
    ]
    assert streamed_answer_text(b"".join(parts)) == 'No.\n[calls search with {"q": 1}]\n[calls stop with ]'


def test_only_the_first_choice_counts() -> None:
    assert streamed_answer_text(event({"content": "a"}) + event({"content": "b"}, 1)) == "a"
    assert answer_text({"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}) == "a"


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"choices": []}', b'{"choices": [{"message": 1}]}', b"\xff"])
def test_what_is_no_answer_says_nothing(body: bytes) -> None:
    assert whole_answer_text(body) == ""
    assert streamed_answer_text(b"data: " + body + b"\n\n") == ""


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "message", "content", "tool_calls", "function", "index", "text"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_read_without_a_fault(value: Any) -> None:  # noqa: ANN401 - JSON is anything
    assert isinstance(answer_text(value), str)
    assert isinstance(streamed_answer_text(b"data: " + json.dumps(value).encode() + b"\n\n"), str)
    assert isinstance(conversation_text([value]), str)
