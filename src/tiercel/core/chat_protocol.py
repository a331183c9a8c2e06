"""The OpenAI chat completion protocol, as far as a router has to understand it. Pure: bytes in, facts out.

Answers pass through unread but for what the loop learns from: the completion's id, the token usage, when the first
token came, and whether the answer is whole. A stream is scanned event by event; only events that may hold one of these
facts are parsed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tiercel.domain.events import MAX_FIGURE
from tiercel.domain.names import name_problem

DONE = b"[DONE]"
_NOTHING = msgspec.Raw()


class ReadUsage(msgspec.Struct):
    """Tokens as the upstream counted them, each a whole number in 0..1e12."""

    prompt_tokens: int
    completion_tokens: int


# What the loop learns from beside the choices stays raw, and is read leniently: an answer is whole without it.
class _Completion(msgspec.Struct):
    choices: list[msgspec.Raw]
    id: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING
    model: msgspec.Raw = _NOTHING


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    tool_calls: Any = None
    refusal: Any = None


class _ChunkChoice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    id: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    model: msgspec.Raw = _NOTHING


_completion_decoder = msgspec.json.Decoder(_Completion)
_chunk_decoder = msgspec.json.Decoder(_Chunk)
_anything_decoder = msgspec.json.Decoder()


class CompletionFacts(msgspec.Struct, frozen=True):
    """What a whole (not streamed) answer says of itself; `fault` is "" or a short word for what is wrong with it."""

    completion_id: str = ""
    usage: ReadUsage | None = None
    fault: str = ""
    raw_model: msgspec.Raw = _NOTHING

    @property
    def model(self) -> str:
        """The model that answered, as the upstream calls it; "" where it does not say."""
        return _read_id(self.raw_model)


def read_completion(body: bytes) -> CompletionFacts:
    """Read a whole answer; never raises: what cannot be read is a fault of the answer.

    Only the choices decide. An id that is no name counts as none, a usage that is no two token counts as unknown.
    """
    try:
        completion = _completion_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return CompletionFacts(fault="malformed_answer")
    fault = "" if completion.choices else "empty_choices"
    return CompletionFacts(_read_id(completion.id), _read_usage(completion.usage), fault, completion.model)


def _read_id(raw: msgspec.Raw) -> str:
    value = _decoded(raw)
    return value if isinstance(value, str) and name_problem("id", value) is None else ""


def _read_usage(raw: msgspec.Raw) -> ReadUsage | None:
    usage = _decoded(raw)
    if not isinstance(usage, dict):
        return None
    prompt, completion = _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))
    return None if prompt is None or completion is None else ReadUsage(prompt, completion)


def _tokens(value: object) -> int | None:
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and 0 <= value <= MAX_FIGURE else None  # type: ignore[operator, call-overload]


def _is_given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _decoded(raw: msgspec.Raw) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return _anything_decoder.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        # a number too large for any type, say
        return None


class StreamReader:
    """Reads a stream of server-sent events as it passes.

    `feed` takes what arrived and returns what to pass on, in whole events. With `hide_usage` the final usage event,
    which the client did not ask for, is kept back. `tokens_seen` counts events with content: about one per token.
    `answered` says that choices came, and nothing was wrong before them. `done` says that the end mark has passed.
    `overflowed` says that an event was too long to be held, and what comes after it cannot be read.
    """

    MAX_EVENT_BYTES = 4 * 1024 * 1024
    __slots__ = (
        "_hide_usage",
        "_raw_model",
        "_rest",
        "answered",
        "completion_id",
        "done",
        "fault",
        "finished",
        "first_token_seen",
        "overflowed",
        "tokens_seen",
        "usage",
    )

    def __init__(self, *, hide_usage: bool) -> None:
        self._hide_usage = hide_usage
        self._rest = b""
        self._raw_model = _NOTHING
        self.completion_id = ""
        self.usage: ReadUsage | None = None
        self.tokens_seen = 0
        self.first_token_seen = False
        self.answered = False
        self.finished = False
        self.done = False
        self.fault = ""
        self.overflowed = False

    def feed(self, arrived: bytes) -> bytes:
        """The whole events now complete, without those that are kept back."""
        data = self._rest + arrived if self._rest else arrived
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        end = data.rfind(b"\n\n")
        if end < 0:
            self._hold(data)
            return b""
        whole, rest = data[: end + 2], data[end + 2 :]
        self._hold(rest)
        hidden = [event for event in whole.split(b"\n\n") if event and not self._passes(event)]
        for event in hidden:
            whole = whole.replace(event + b"\n\n", b"", 1)
        return whole

    def end(self) -> bytes:
        """What is left when the upstream has closed: an event it did not terminate, or b"" where that is no event.

        What is no event is not passed on: it may be anything, an error page of the upstream's for one.
        """
        rest, self._rest = self._rest.strip(b"\r\n"), b""
        payload = event_payload(rest)
        if not payload:
            return b""
        if payload != DONE:
            try:
                _chunk_decoder.decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return b""
        return rest + b"\n\n" if self._passes(rest) else b""

    @property
    def model(self) -> str:
        """The model that answers, as the upstream calls it; "" where it does not say."""
        return _read_id(self._raw_model)

    @property
    def whole(self) -> bool:
        """Whether the stream answered and came to its proper end."""
        return self.finished and self.answered and not self.fault

    def _hold(self, rest: bytes) -> None:
        if len(rest) > self.MAX_EVENT_BYTES:
            self.fault = self.fault or "event_too_long"
            self.overflowed = True
            rest = b""
        self._rest = rest

    def _passes(self, event: bytes) -> bool:
        """Note what an event says; whether it is to be passed on."""
        payload = event_payload(event)
        if not payload:
            return True
        if payload == DONE:
            self.finished = self.done = True
            return True
        if self.first_token_seen and not _may_matter(payload):
            self.tokens_seen += 1
            return True
        return self._read(payload)

    def _read(self, payload: bytes) -> bool:
        try:
            chunk = _chunk_decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.fault = self.fault or "malformed_event"
            return True
        self.completion_id = self.completion_id or _read_id(chunk.id)
        self._raw_model = self._raw_model or chunk.model
        if _is_given(chunk.error):
            self.fault = self.fault or "error_event"
        choices = chunk.choices or ()
        for choice in choices:
            self.answered = self.answered or not self.fault
            if choice.finish_reason:
                self.finished = True
            delta = choice.delta
            if delta and (delta.content or delta.reasoning_content or delta.tool_calls or delta.refusal):
                self.tokens_seen += 1
                self.first_token_seen = True
        if _is_given(chunk.usage):
            self.usage = _read_usage(chunk.usage) or self.usage
            return bool(choices) or not self._hide_usage
        return True


def event_payload(event: bytes) -> bytes:
    """The data of an event, b"" where it has none (a comment)."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    return b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))


def _may_matter(payload: bytes) -> bool:
    """Whether an event after the first token may hold a fact: a usage, an end, an error."""
    if b'"error"' in payload:
        return True
    if b'"usage"' in payload and b'"usage":null' not in payload and b'"usage": null' not in payload:
        return True
    return b'"finish_reason"' in payload and (
        b'"finish_reason":null' not in payload and b'"finish_reason": null' not in payload
    )
