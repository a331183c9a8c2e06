"""What was asked and what was answered in chat completions, as text. Pure, and lenient: what is no text is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from tiercel.core.chat_protocol import DONE, event_payload
from tiercel.domain.request import RequestContext

_INSTRUCTIONS = ("system", "developer")
_decoder = msgspec.json.Decoder()


def conversation_text(messages: Sequence[object]) -> str:
    """The messages of a request, each under its role; images and the like by the name of their kind."""
    return "\n".join(f"{message.get('role')}: {said(message)}" for message in messages if isinstance(message, dict))


def described(request: RequestContext, body: Mapping[str, Any]) -> RequestContext:
    """The request with what its body says of it: the text asked, and how it is built. Some microseconds."""
    messages = [message for message in body.get("messages", ()) if isinstance(message, dict)]
    texts = [content if isinstance(content := message.get("content"), str) else said(message) for message in messages]
    return replace(
        request,
        prompt="\n".join(texts),
        messages=sum(message.get("role") not in _INSTRUCTIONS for message in messages),
        tools=len(tools) if isinstance(tools := body.get("tools"), list) else 0,
        structured=bool(body.get("response_format")),
    )


def answer_text(completion: object) -> str:
    """What the first choice of a decoded completion says; "" where it says nothing."""
    match completion:
        case {"choices": [{"message": dict(message)}, *_]}:
            return said(message)
        case _:
            return ""


def whole_answer_text(body: bytes) -> str:
    """What the first choice of an answer that was not streamed says."""
    return answer_text(_decoded(body))


def streamed_answer_text(events: bytes) -> str:
    """What the first choice of a stream of server-sent events says, put together."""
    content: list[str] = []
    refusal: list[str] = []
    calls: dict[object, list[str]] = {}
    for delta in map(_first_delta, events.split(b"\n\n")):
        content.append(_string(delta.get("content")))
        refusal.append(_string(delta.get("refusal")))
        for call in _tables(delta.get("tool_calls")):
            name, arguments = _called(call)
            parts = calls.setdefault(call.get("index"), ["", ""])
            parts[0] += name
            parts[1] += arguments
    return _joined(["".join(content), "".join(refusal), *(_call_text(*parts) for parts in calls.values())])


def said(message: Mapping[str, Any]) -> str:
    """What one message says: its text, its refusal, and the tools it calls."""
    content = message.get("content")
    text = content if isinstance(content, str) else _joined([_part(part) for part in _tables(content)])
    calls = [_call_text(*_called(call)) for call in _tables(message.get("tool_calls"))]
    return _joined([text, _string(message.get("refusal")), *calls])


def _first_delta(event: bytes) -> Mapping[str, Any]:
    payload = event_payload(event)
    match _decoded(payload) if payload and payload != DONE else None:
        case {"choices": [{"delta": dict(delta), **choice}, *_]} if choice.get("index", 0) == 0:
            return delta
        case _:
            return {}


def _part(part: Mapping[str, Any]) -> str:
    text, kind = part.get("text"), _string(part.get("type"))
    return text if isinstance(text, str) else f"[{kind}]" if kind not in ("", "text") else ""


def _called(call: Mapping[str, Any]) -> tuple[str, str]:
    function = call.get("function")
    if not isinstance(function, dict):
        return "", ""
    return _string(function.get("name")), _string(function.get("arguments"))


def _call_text(name: str, arguments: str) -> str:
    return f"[calls {name} with {arguments}]" if name or arguments else ""


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts if part)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _decoded(raw: bytes) -> object:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
