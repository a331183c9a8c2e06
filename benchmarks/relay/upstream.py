"""A very cheap scripted OpenAI-like upstream on loopback.

It exists so that a relay under test can be loaded without the upstream being
the bottleneck: every answer is built once at start, a request is only framed
(headers, Content-Length) and never parsed as JSON, and the server is a raw
``asyncio.Protocol`` so that no stream objects or tasks are made per request.

A request whose body holds ``"stream": true`` gets a chunked SSE answer, any
other gets a fixed JSON chat completion of about 1 KB with ``usage``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_STREAM: Final = re.compile(rb'"stream"\s*:\s*true')
_CREATED_S: Final = 1_700_000_000
_MODEL: Final = "scripted-1"
_ANSWER_WORDS: Final = 110


def completion_response() -> bytes:
    """Return the whole HTTP response of the fixed non-streaming completion."""
    document = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": _CREATED_S,
        "model": _MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "relayed " * _ANSWER_WORDS},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 110, "total_tokens": 230},
    }
    body = json.dumps(document).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "content-type: application/json\r\n"
        "x-request-id: req-scripted\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream_parts(events: int) -> list[bytes]:
    """Return the head, then one HTTP chunk per SSE event, then the terminator.

    The parts are kept apart so that a paced stream can write them one at a
    time; an unpaced one writes them joined.
    """
    head = (
        b"HTTP/1.1 200 OK\r\n"
        b"content-type: text/event-stream\r\n"
        b"x-request-id: req-scripted\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    base = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": _CREATED_S,
        "model": _MODEL,
    }
    documents: list[dict[str, object]] = [
        base | {"choices": [{"index": 0, "delta": {"content": f"word{number} "}}]} for number in range(events)
    ]
    usage = {"prompt_tokens": 120, "completion_tokens": events, "total_tokens": 120 + events}
    documents.append(base | {"choices": [], "usage": usage})
    parts = [head]
    parts.extend(_chunk(b"data: " + json.dumps(item).encode() + b"\n\n") for item in documents)
    parts.append(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    return parts


class Script:
    """The answers, built once, shared by all connections."""

    def __init__(self, events: int, interval_ms: float) -> None:
        """Build both answers; ``interval_ms`` zero means one write per stream."""
        self.interval_s = interval_ms / 1000
        self.completion = completion_response()
        self.parts = stream_parts(events)
        self.stream = b"".join(self.parts)


class UpstreamProtocol(asyncio.Protocol):
    """One keep-alive connection that answers each framed request."""

    def __init__(self, script: Script) -> None:
        """Remember the shared script; one instance serves one connection."""
        self._script = script
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Stop a paced stream whose reader has gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer each complete request in the buffer."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer:
            head_end = self._buffer.find(_HEAD_END)
            if head_end < 0:
                return
            match = _LENGTH.search(self._buffer, 0, head_end)
            body_start = head_end + len(_HEAD_END)
            request_end = body_start + (int(match[1]) if match else 0)
            if len(self._buffer) < request_end:
                return
            streaming = _STREAM.search(self._buffer, body_start, request_end) is not None
            self._buffer = self._buffer[request_end:]
            self._answer(streaming)

    def _answer(self, streaming: bool) -> None:
        if self._transport is None:
            return
        if not streaming:
            self._transport.write(self._script.completion)
        elif self._script.interval_s == 0:
            self._transport.write(self._script.stream)
        else:
            self._write_part(0)

    def _write_part(self, index: int) -> None:
        if self._transport is None:
            return
        self._transport.write(self._script.parts[index])
        if index + 1 < len(self._script.parts):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._script.interval_s, self._write_part, index + 1)


async def serve(host: str, port: int, script: Script) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await loop.create_server(lambda: UpstreamProtocol(script), host, port, backlog=1024)
    async with server:
        await stopping.wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="scripted OpenAI-like upstream")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--events", type=int, default=20, help="content events per stream")
    parser.add_argument("--interval-ms", type=float, default=0.0, help="pause between events")
    options = parser.parse_args()
    script = Script(options.events, options.interval_ms)
    asyncio.run(serve(options.host, options.port, script))


if __name__ == "__main__":
    main()
