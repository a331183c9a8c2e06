"""TLS before a server that has none: what it carries is the server's, what it shows is a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from support.servers import free_port

_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Authority:
    """Who vouches for servers and clients; `file` holds its certificate."""

    ca: trustme.CA
    file: Path

    @classmethod
    def new(cls, folder: Path, name: str) -> Authority:
        """An authority of its own."""
        ca, file = trustme.CA(organization_name=name), folder / f"{name}.pem"
        ca.cert_pem.write_to_path(str(file))
        return cls(ca, file)

    def client(self, folder: Path) -> tuple[Path, Path]:
        """A certificate and its key, for a client to show."""
        issued, files = self.ca.issue_cert("gateway.test"), (folder / "client.pem", folder / "client.key")
        issued.cert_chain_pems[0].write_to_path(str(files[0]))
        issued.private_key_pem.write_to_path(str(files[1]))
        return files


class Front:
    """Listens on `port` for the server on `server_port`: TLS for those who begin with it, plain for the others.

    Servers find each other by one address, and these here speak no TLS among themselves. With `clients` everyone who
    comes by TLS has to show a certificate of that authority.
    """

    def __init__(
        self, server_port: int, issuer: trustme.CA, *, name: str, port: int, clients: Authority | None
    ) -> None:
        self.port = port
        self.encrypted = 0
        self._server_port = server_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name).configure_cert(self._context)
        if clients is not None:
            self._context.verify_mode = ssl.CERT_REQUIRED
            clients.ca.configure_trust(self._context)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls")
        self._listener = socket.create_server(("127.0.0.1", port))
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)

    def stop(self) -> None:
        """Break everything and end."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> None:
        self._listener.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    async def _end(self) -> None:
        assert self._accepting is not None
        ended = [self._accepting, *self._tasks]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            task = self._loop.create_task(self._carry(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(client):
            context = self._context if await self._first(client) == _TLS_HANDSHAKE else None
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, client, ssl=context)
            writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            self.encrypted += context is not None
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._server_port)
            try:
                await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))
            finally:
                transport.abort()
                ours.transport.abort()

    async def _first(self, client: socket.socket) -> bytes:
        """The first byte, left where it is."""
        readable = asyncio.Event()
        self._loop.add_reader(client, readable.set)
        try:
            await readable.wait()
        finally:
            self._loop.remove_reader(client)
        return client.recv(1, socket.MSG_PEEK)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()
    raise ConnectionResetError  # the one side ended: the other ends too


@contextmanager
def behind_tls(
    server_port: int,
    authority: Authority,
    *,
    name: str = "127.0.0.1",
    port: int = 0,
    clients: Authority | None = None,
) -> Iterator[Front]:
    """A front that listens. `name` is what its certificate says it is."""
    front = Front(server_port, authority.ca, name=name, port=port or free_port(), clients=clients)
    front.start()
    try:
        yield front
    finally:
        front.stop()
