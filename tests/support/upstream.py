"""A scripted OpenAI-compatible upstream in a process of its own: what a model does is in its name.

    ok               answers with usage; the text says which model it is
    error-503        an error status
    break-2          streams two tokens, then breaks the connection
    truncate         streams without a finish reason and without [DONE]
    no-usage         streams properly but never reports usage
    hang             sends a head and one token, then nothing
    not-json         answers 200 with something that is not JSON
    judge-8          answers with the grade 8
    judge-hang       never answers

GET /seen gives the request bodies received, and GET /left how many streams ended because the client left.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

seen: list[dict[str, Any]] = []
left: list[str] = []


def chunk(content: str | None, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One server-sent event of a streamed answer."""
    choices = [] if usage else [{"index": 0, "delta": {"content": content} if content else {}, "finish_reason": finish}]
    body: dict[str, Any] = {
        "id": f"chatcmpl-{len(seen)}",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def whole(model: str) -> bytes:
    """A whole answer."""
    grades = model.startswith("judge-")
    text = json.dumps({"grade": int(model.removeprefix("judge-"))}) if grades else f"I am {model}."
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": f"chatcmpl-{len(seen)}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
        }
    ).encode()


async def stream(writer: asyncio.StreamWriter, model: str) -> None:
    """A streamed answer, as the model's name says."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def send(data: bytes) -> None:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await writer.drain()

    await send(chunk("I am "))
    if model == "hang":
        await asyncio.sleep(3600)
    await send(chunk(model))
    if model == "break-2":
        writer.transport.abort()
        return
    if model != "truncate":
        await send(chunk(None, "stop"))
        if model != "no-usage":
            await send(chunk(None, usage={"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}))
        await send(b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection, request after request."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await answer(lines[0].split()[1], body, reader, writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(path: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    status, content = "200 OK", b""
    if path == "/seen":
        content = json.dumps(seen).encode()
    elif path == "/left":
        content = str(len(left)).encode()
    else:
        request = json.loads(body)
        seen.append(request)
        model = request["model"]
        if request.get("stream") and not model.startswith("error-"):
            streaming = asyncio.ensure_future(stream(writer, model))
            gone = asyncio.ensure_future(reader.read(1)) if model == "hang" else None
            if gone:
                await asyncio.wait((streaming, gone), return_when=asyncio.FIRST_COMPLETED)
                left.append(model)
                streaming.cancel()
            else:
                await streaming
            return
        if model == "judge-hang":
            await asyncio.sleep(3600)
        content = whole(model)
        if model.startswith("error-"):
            status, content = (
                f"{model.removeprefix('error-')} Scripted",
                b'{"error": {"message": "secret upstream text"}}',
            )
        elif model == "not-json":
            content = b"<html>not json</html>"
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)


async def main(port: int) -> None:
    """Serve until killed; says "ready" when listening."""
    server = await asyncio.start_server(handle, "127.0.0.1", port)
    print("ready", flush=True)  # noqa: T201
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
