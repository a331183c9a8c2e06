"""A second yardstick: the relay one would write by hand with asyncio's streams, a connection upstream per client.

It reads a request by its Content-Length, passes it on, and passes the answer back by Content-Length or chunks.
"""

from __future__ import annotations

import argparse
import asyncio
import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """A head and the body its Content-Length announces; a chunked body up to its last chunk."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is not None:
        return head + await reader.readexactly(int(length[1]))
    if b"chunked" in head.lower():
        return head + await reader.readuntil(b"0\r\n\r\n")
    return head


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream_port: int) -> None:
    """Serve one client, request after request."""
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
    try:
        while True:
            upstream_writer.write(await read_message(reader))
            await upstream_writer.drain()
            writer.write(await read_message(upstream_reader))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        upstream_writer.close()
        writer.close()


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    options = parser.parse_args()
    server = await asyncio.start_server(
        lambda reader, writer: relay(reader, writer, options.upstream_port), "127.0.0.1", options.port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
