"""What a request says of itself: workflow, stage, agent, session and requirements, from metadata or headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from tiercel.apps.gateway.body import Scope, headers
from tiercel.apps.gateway.errors import invalid
from tiercel.domain.errors import Problem
from tiercel.domain.names import name_problem, names_problems
from tiercel.domain.request import TASK_CAPABILITIES, RequestContext

_HEADERS = {
    b"x-tiercel-workflow": "workflow",
    b"x-tiercel-stage": "stage",
    b"x-tiercel-agent": "agent_id",
    b"x-tiercel-session": "session_id",
    b"x-tiercel-requires": "requires",
}
FIELDS = ("workflow", "stage", "agent_id", "session_id", "requires", "task")
"""What tiercel reads of the metadata; `task` is a task type that stands for the capabilities it requires."""

CHARACTERS_PER_TOKEN = 4
"""A rough estimate, used only to exclude models whose context is clearly too short."""


def text_length(messages: Sequence[Mapping[str, Any]]) -> int:
    """The characters of text in `messages`: images and audio, as long as they are, are few tokens."""
    length = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            length += len(content)
        elif isinstance(content, list):
            texts = (part.get("text") for part in content if isinstance(part, dict))
            length += sum(len(text) for text in texts if isinstance(text, str))
    return length


def read_context(scope: Scope, metadata: Mapping[str, Any], characters: int) -> RequestContext:
    """The context of a chat request of so many characters of text; headers win over metadata.

    Raises 422 with every problem.
    """
    given: dict[str, tuple[str, Any]] = {}
    if metadata:
        given = {name: (f"metadata.{name}", metadata[name]) for name in FIELDS if metadata.get(name) is not None}
    index = headers(scope)
    for key, name in _HEADERS.items():
        if key in index:
            given[name] = (key.decode(), unquote(index[key].decode("utf-8", "replace")))
    requires, problems = read_names(*given.pop("requires")) if "requires" in given else ((), [])
    problems += [problem for path, value in given.values() if (problem := name_problem(path, value))]
    if problems:
        raise invalid(problems)
    found: dict[str, str] = {name: value for name, (_, value) in given.items()}
    return RequestContext(
        workflow=found.get("workflow", ""),
        stage=found.get("stage", ""),
        agent_id=found.get("agent_id", ""),
        session_id=found.get("session_id", ""),
        requires=requires or TASK_CAPABILITIES.get(found.get("task", ""), ()),
        prompt_tokens=characters // CHARACTERS_PER_TOKEN,
    )


def read_names(path: str, listed: object) -> tuple[tuple[str, ...], list[Problem]]:
    """The names of a list, or of a text like "coding,reasoning", at most 64, and what is wrong with them."""
    if isinstance(listed, str):
        names: Sequence[object] = [part.strip() for part in listed.split(",") if part.strip()]
    elif isinstance(listed, list | tuple):
        names = listed
    else:
        return (), [Problem(path, "must be names with commas between them, or a list", repr(listed)[:80], "type")]
    problems = names_problems(path, names)
    return () if problems else tuple(str(name) for name in names), problems
