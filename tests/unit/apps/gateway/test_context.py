from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tiercel.apps.gateway.context import read_context, text_length
from tiercel.apps.gateway.errors import HttpError
from tiercel.domain.request import RequestContext

Headers = Mapping[str, str]
NONE: Headers = {}


def read(metadata: dict[str, Any] | None = None, *, characters: int = 0, headers: Headers = NONE) -> RequestContext:
    pairs = [(f"x-tiercel-{name}".encode(), value.encode()) for name, value in headers.items()]
    return read_context({"headers": pairs}, metadata or {}, characters)


def test_nothing_said() -> None:
    assert read() == RequestContext()
    assert read().segment == ("stage", "default", "default")


def test_metadata() -> None:
    context = read(
        {
            "workflow": "code-review",
            "stage": "analysis",
            "agent_id": "a",
            "session_id": "s",
            "requires": " coding, reasoning,,",
            "anything": {"else": [1]},
        },
        characters=401,
    )
    assert context == RequestContext(
        workflow="code-review",
        stage="analysis",
        agent_id="a",
        session_id="s",
        requires=("coding", "reasoning"),
        prompt_tokens=100,
    )


def test_headers_win_and_may_be_percent_encoded() -> None:
    context = read(
        {"workflow": "from metadata", "stage": "kept"},
        headers={
            "workflow": quote("\u00fcber/a:b*"),
            "agent": "agent",
            "session": "session",
            "requires": "coding",
        },
    )
    assert (context.workflow, context.stage) == ("\u00fcber/a:b*", "kept")
    assert (context.agent_id, context.session_id, context.requires) == ("agent", "session", ("coding",))


def test_requirements_as_a_list_and_through_a_task() -> None:
    assert read({"requires": ["coding", "own, capability"]}).requires == ("coding", "own, capability")
    assert read({"task": "translation"}).requires == ("multilingual", "general")
    assert read({"task": "translation", "requires": "math"}).requires == ("math",)
    assert read({"task": "something of the caller's own"}).requires == ()


@pytest.mark.parametrize(
    ("metadata", "headers", "paths"),
    [
        ({"workflow": ""}, {}, ["metadata.workflow"]),
        ({"workflow": 7, "stage": "a\nb"}, {}, ["metadata.workflow", "metadata.stage"]),
        ({"agent_id": "x" * 257}, {}, ["metadata.agent_id"]),
        ({"session_id": "\u20ac" * 86}, {}, ["metadata.session_id"]),
        ({"requires": 5}, {}, ["metadata.requires"]),
        ({"requires": {"coding": 1}}, {}, ["metadata.requires"]),
        ({"requires": ["coding", None, ""]}, {}, ["metadata.requires[1]", "metadata.requires[2]"]),
        ({"requires": "coding,a\x00b"}, {}, ["metadata.requires[1]"]),
        ({}, {"workflow": ""}, ["x-tiercel-workflow"]),
        ({}, {"stage": "a%0d%0ab"}, ["x-tiercel-stage"]),
        ({}, {"requires": "a,%07"}, ["x-tiercel-requires[1]"]),
    ],
)
def test_names_that_cannot_be(metadata: dict[str, Any], headers: dict[str, str], paths: list[str]) -> None:
    with pytest.raises(HttpError) as refused:
        read(metadata, headers=headers)
    assert refused.value.status == 422
    assert [problem.path for problem in refused.value.details] == paths


def test_only_text_is_counted() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "12345"},
        {"role": "user", "content": [{"type": "text", "text": "678"}, image, "odd", {"type": "text", "text": None}]},
        {"role": "assistant", "content": None},
        {"role": "assistant"},
    ]
    assert text_length(messages) == 8


def test_at_most_64_requirements() -> None:
    assert len(read({"requires": ["coding"] * 64}).requires) == 64
    for requires in (["coding"] * 65, ",".join(["coding"] * 65)):
        with pytest.raises(HttpError) as refused:
            read({"requires": requires})
        assert (refused.value.status, refused.value.param) == (422, "metadata.requires")
