"""A TCP proxy between a client and its server that does what networks do: delays, loses, parts, breaks.

Everything runs in one thread of its own. What a direction carries arrives in its order, as TCP delivers it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

RETRANSMISSION_S = 0.2
"""How long a lost segment is missing at the least, on Linux."""


@dataclass
class Weather:
    """What befalls the bytes. Changed at any time, it holds for what arrives at the proxy from then on.

    `delay_s` is added to each answer (as a delay of the server's interface would be: once per round trip). `loss` is
    the chance that a piece is lost, in either direction: then it, and all behind it, comes a retransmission later,
    and twice as late again if that is lost too.
    """

    delay_s: float = 0.0
    loss: float = 0.0


class Proxy:
    """Listens on `port` for a server on 127.0.0.1. Start and stop it with `proxied`."""

    def __init__(self, server_port: int, *, seed: int = 0) -> None:
        self.weather = Weather()
        self.lost = 0
        self.port = 0
        self._server_port = server_port
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._open.set)
        self.accept()

    def stop(self) -> None:
        """Break everything and end."""
        self.refuse()
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def part(self) -> None:
        """A partition: connections stay, and nothing gets through until `heal`, in either direction."""
        self._do(self._open.clear)

    def heal(self) -> None:
        """What was held back arrives, and all that follows."""
        self._do(self._open.set)

    def cut(self) -> None:
        """Break every connection there is."""
        self._do(self._broken)

    def refuse(self) -> None:
        """Break every connection and take no new one."""
        self._do(self._closed)
        self.cut()

    def accept(self) -> None:
        """Take connections, on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def _do(self, act: Callable[[], object]) -> None:
        done = threading.Event()

        def acted() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(acted)
        assert done.wait(10)

    def _broken(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _closed(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _ended(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(server_writer)
        ways = (self._carry(reader, server_writer, answers=False), self._carry(server_reader, writer, answers=True))
        for way in ways:
            task = asyncio.create_task(way)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        arriving: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.create_task(self._deliver(arriving, writer))
        try:
            while piece := await reader.read(65_536):
                arriving.put_nowait((self._loop.time() + self._late_s(answers=answers), piece))
            arriving.put_nowait((self._loop.time(), b""))
            await delivering
        except (ConnectionError, asyncio.CancelledError):
            delivering.cancel()
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _deliver(self, arriving: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                at_s, piece = await arriving.get()
                await asyncio.sleep(at_s - self._loop.time())
                await self._open.wait()
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()

    def _late_s(self, *, answers: bool) -> float:
        late_s = self.weather.delay_s if answers else 0.0
        again_s = RETRANSMISSION_S
        while self._random.random() < self.weather.loss:
            self.lost += 1
            late_s += again_s
            again_s *= 2
        return late_s


@contextmanager
def proxied(server_port: int, *, seed: int = 0) -> Iterator[Proxy]:
    """A proxy that runs."""
    proxy = Proxy(server_port, seed=seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
