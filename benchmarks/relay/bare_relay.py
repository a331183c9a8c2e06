"""The yardstick: the least a Python relay can do.

A raw ``asyncio.Protocol`` byte relay. It frames requests (Content-Length) and
responses (Content-Length or chunked) only as far as needed to know when an
upstream connection may be given to the next request; bytes are forwarded
unchanged, nothing is parsed, decided or recorded. The cost of a real gateway
is reported as a multiple of this.

Not a general proxy: it accepts the well-formed traffic of this benchmark and
closes the connection on anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from collections import deque
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Pool:
    """Idle keep-alive connections to the one upstream."""

    def __init__(self, host: str, port: int) -> None:
        """Remember the address; connections are made on demand."""
        self._host = host
        self._port = port
        self._idle: deque[UpstreamConnection] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, client: ClientConnection, request: bytes) -> None:
        """Write ``request`` on an idle connection, or on a new one."""
        while self._idle:
            # Last in, first out: the warmest connection, and idle ones can age.
            connection = self._idle.pop()
            if connection.alive:
                connection.start(client, request)
                return
        task = asyncio.ensure_future(self._connect(client, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: ClientConnection, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: UpstreamConnection(self), self._host, self._port)
        except OSError:
            client.close()
            return
        connection.start(client, request)

    def give_back(self, connection: UpstreamConnection) -> None:
        """Take a connection whose response is complete."""
        self._idle.append(connection)


class UpstreamConnection(asyncio.Protocol):
    """One upstream connection; serves one client request at a time."""

    def __init__(self, pool: Pool) -> None:
        """Remember the pool to return to."""
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._client: ClientConnection | None = None
        self._head = b""
        self._remaining_bytes: int | None = None
        self._tail = b""

    @property
    def alive(self) -> bool:
        """Whether a request may still be written here."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Close the client if its response was not complete."""
        self._transport = None
        if self._client is not None:
            self._client.close()

    def start(self, client: ClientConnection, request: bytes) -> None:
        """Send one request and relay its response to ``client``."""
        if self._transport is None:
            client.close()
            return
        self._client = client
        self._head = b""
        self._remaining_bytes = None
        self._tail = b""
        client.upstream = self
        self._transport.write(request)

    def abort(self) -> None:
        """Drop the connection: its client has gone mid-response."""
        self._client = None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Forward at once, then find out whether the response is complete."""
        if self._client is None:
            return
        self._client.write(data)
        if self._complete(data):
            client, self._client = self._client, None
            self._pool.give_back(self)
            client.finished()

    def _complete(self, data: bytes) -> bool:
        if self._tail:
            self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
            return self._tail == _LAST_CHUNK
        if self._remaining_bytes is None:
            self._head = self._head + data if self._head else data
            head_end = self._head.find(_HEAD_END)
            if head_end < 0:
                return False
            if _CHUNKED.search(self._head, 0, head_end):
                self._tail = self._head[-len(_LAST_CHUNK) :]
                return self._tail == _LAST_CHUNK
            match = _LENGTH.search(self._head, 0, head_end)
            total_bytes = head_end + len(_HEAD_END) + (int(match[1]) if match else 0)
            self._remaining_bytes = total_bytes - len(self._head)
        else:
            self._remaining_bytes -= len(data)
        return self._remaining_bytes <= 0


class ClientConnection(asyncio.Protocol):
    """One client connection; pipelined requests wait for their turn."""

    def __init__(self, pool: Pool) -> None:
        """Remember where upstream connections come from."""
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._busy = False
        self.upstream: UpstreamConnection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Abort the upstream if a response was under way."""
        self._transport = None
        if self.upstream is not None:
            self.upstream.abort()

    def data_received(self, data: bytes) -> None:
        """Collect a request and send it on when it is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        head_end = self._buffer.find(_HEAD_END)
        if head_end < 0:
            return
        match = _LENGTH.search(self._buffer, 0, head_end)
        request_end = head_end + len(_HEAD_END) + (int(match[1]) if match else 0)
        if len(self._buffer) < request_end:
            return
        request = self._buffer[:request_end]
        self._buffer = self._buffer[request_end:]
        self._busy = True
        self._pool.send(self, request)

    def write(self, data: bytes) -> None:
        """Forward response bytes; silently nothing once the client has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def finished(self) -> None:
        """Note the end of a response and take up a pipelined request."""
        self._busy = False
        self.upstream = None
        if self._buffer:
            self._next()

    def close(self) -> None:
        """Close the client connection: the only error signal of this relay."""
        self.upstream = None
        if self._transport is not None:
            self._transport.close()


async def serve(host: str, port: int, pool: Pool) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await loop.create_server(lambda: ClientConnection(pool), host, port, backlog=1024)
    async with server:
        await stopping.wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="bare asyncio byte relay")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-host", default="127.0.0.1")
    parser.add_argument("--upstream-port", type=int, required=True)
    options = parser.parse_args()
    pool = Pool(options.upstream_host, options.upstream_port)
    asyncio.run(serve(options.host, options.port, pool))


if __name__ == "__main__":
    main()
