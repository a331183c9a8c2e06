"""The client against a server that answers as told, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tiercel.adapters.openai_provider import OpenAIProvider
from tiercel.domain.errors import ProviderProtocolError, ProviderUnreachable


@asynccontextmanager
async def server(head: bytes) -> AsyncIterator[tuple[OpenAIProvider, asyncio.Event]]:
    """A client of a server that sends `head`, one byte and no more, and whether its connection was closed."""
    left = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(head + b"transfer-encoding: chunked\r\n\r\n1\r\n:\r\n")
            await reader.read()
            left.set()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    answering: list[asyncio.Task[None]] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.ensure_future(answer(reader, writer)))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    provider = OpenAIProvider(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1")
    try:
        async with listening:
            yield provider, left
    finally:
        await provider.close()
        await asyncio.gather(*answering)


async def test_an_answer_with_a_header_that_is_no_text_is_let_go() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-type: \xff\xfe\r\n") as (provider, left):
        with pytest.raises(ProviderProtocolError):
            await provider.chat(b"{}", stream=True, timeout_s=10)
        async with asyncio.timeout(5):
            await left.wait()


async def test_a_client_that_is_closed_calls_no_more() -> None:
    async with server(b"HTTP/1.1 200 OK\r\n") as (provider, left):
        answered = await provider.chat(b"{}", stream=True, timeout_s=10)
        await answered.body.aclose()
        await provider.close()
        await provider.close()
        with pytest.raises(ProviderUnreachable):
            await provider.chat(b"{}", stream=True, timeout_s=10)
        async with asyncio.timeout(5):
            await left.wait()
