"""A scripted OpenAI-compatible upstream that answers as the models of the outcome table did.

Run as a process: python -m tiercel.apps.demo.upstream --port P --seed N --speed X. It serves on loopback until it is
told to end. Usage and latency are those of the table, the latter divided by `--speed`; the text is a
placeholder, since nobody recorded the answers. A prompt that is not in the table is refused as the caller's mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tiercel.apps.demo.processes import HOST
from tiercel.apps.demo.table import Prompt, latency_ms, prompts

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 422: "Unprocessable Content", 503: "Service Unavailable"}
_WORDS = ("This ", "is ", "a ", "replay: ", "the ", "answer's ", "text ", "was ", "not ", "kept.")


class Refused(Exception):
    """A request the script has no answer to."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer: what is said after `first_s` seconds and complete after `total_s`."""

    first_s: float
    total_s: float
    streamed: bool
    completion: Mapping[str, Any]

    def whole(self) -> bytes:
        """The answer to a request that does not stream."""
        return json.dumps(self.completion).encode()

    def events(self) -> list[bytes]:
        """The answer as server-sent events: the words, the end, the usage, and the closing mark."""
        head = {name: self.completion[name] for name in ("id", "created", "model")}
        head["object"] = "chat.completion.chunk"
        said: list[dict[str, Any]] = [{"delta": {"content": word}, "finish_reason": None} for word in _WORDS]
        said.append({"delta": {}, "finish_reason": "stop"})
        documents: list[dict[str, Any]] = [{**head, "choices": [{"index": 0, **choice}]} for choice in said]
        documents.append({**head, "choices": [], "usage": self.completion["usage"]})
        return [*(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents), b"data: [DONE]\n\n"]


class Answers(Protocol):
    """Who knows what to answer."""

    def answer(self, line: str, body: bytes) -> Scripted:
        """The answer to a request, by its method and path and its body. Raises `Refused`."""
        ...


class Script:
    """Answers requests from the outcome table."""

    def __init__(self, seed: int, speed: float) -> None:
        self._seed = seed
        self._speed = speed
        self._by_text: dict[str, Prompt] = {prompt.text: prompt for prompt in prompts()}

    def answer(self, line: str, body: bytes) -> Scripted:
        """The answer to a request, by its method and path and its body. Raises `Refused`."""
        if line != "POST /v1/chat/completions":
            raise Refused(404, f"the replay answers POST /v1/chat/completions, not {line}")
        try:
            request = json.loads(body)
            model, text = request["model"], request["messages"][-1]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise Refused(400, "a chat request needs a model and messages") from error
        prompt = self._by_text.get(text) if isinstance(text, str) else None
        if prompt is None:
            raise Refused(422, f"the replay knows only the {len(self._by_text)} prompts of its outcome table")
        if model not in prompt.recorded:
            raise Refused(404, f"the replay has no model {model!r}; it has {', '.join(prompt.recorded)}")
        recorded = prompt.recorded[model]
        usage = {
            "prompt_tokens": recorded.prompt_tokens,
            "completion_tokens": recorded.completion_tokens,
            "total_tokens": recorded.prompt_tokens + recorded.completion_tokens,
        }
        message = {"role": "assistant", "content": "".join(_WORDS)}
        completion = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }
        first_ms, total_ms = latency_ms(prompt, model, self._seed)
        scale = 1000 * self._speed
        return Scripted(first_ms / scale, total_ms / scale, bool(request.get("stream")), completion)


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes] | None:
    """The request line's method and path, and the body; None when the connection has ended."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-length":
                length = int(value)
        return head.partition(" HTTP/")[0], await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _response(status: int, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _reply(script: Answers, line: str, body: bytes) -> AsyncIterator[bytes]:
    """What to send, piece by piece, each when its time has come."""
    if line == "GET /health":
        yield _response(200, b'{"status":"ok"}')
        return
    try:
        answer = script.answer(line, body)
    except Refused as refused:
        error = {"message": str(refused), "type": "invalid_request_error", "param": None, "code": None}
        yield _response(refused.status, json.dumps({"error": error}).encode())
        return
    if not answer.streamed:
        await asyncio.sleep(answer.total_s)
        yield _response(200, answer.whole())
        return
    first, *rest = answer.events()
    yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    await asyncio.sleep(answer.first_s)
    yield _chunk(first)
    await asyncio.sleep(answer.total_s - answer.first_s)
    yield b"".join(map(_chunk, rest)) + b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(script: Answers, port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _request(reader)) is not None:
                async for piece in _reply(script, *request):
                    writer.write(piece)
                    await writer.drain()
        except ConnectionError:
            pass  # the gateway may leave whenever it likes
        finally:
            writer.close()

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = await asyncio.start_server(connected, HOST, port)
    await stopping.wait()
    server.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="answers as the models of the demo's outcome table did")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0, help="which of the measured latencies each request gets")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than measured to answer")
    options = parser.parse_args()
    asyncio.run(serve(Script(options.seed, options.speed), options.port))


if __name__ == "__main__":
    main()
