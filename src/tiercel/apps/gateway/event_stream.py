"""What happens, as it happens: server-sent events for everyone who listens.

The commit's thread hands on what was learned and never waits: each listener has a bounded queue of its own, and what a
slow one misses is counted and said in its stream.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import msgspec

from tiercel.apps.gateway import records
from tiercel.apps.gateway.body import Receive, Scope, Send
from tiercel.domain.events import Event
from tiercel.ports import Appended
from tiercel.services.learning.learner import Learner

QUEUED_EVENTS = 1_000
MAX_STREAMS = 100
HEARTBEAT_S = 15.0

_encode = msgspec.json.Encoder().encode


class Feed:
    """The events one listener has not read yet: at most `limit`, of those kinds; the rest is counted. Thread-safe."""

    def __init__(self, kinds: Collection[str], *, limit: int = QUEUED_EVENTS) -> None:
        self._kinds = kinds
        self._limit = limit
        self._events: deque[Event] = deque()
        self._dropped = 0
        self._lock = threading.Lock()

    def put(self, learned: Appended) -> None:
        """Keep what was learned; about 1 us per event."""
        with self._lock:
            for event in learned.accepted:
                if records.kind_of(event) not in self._kinds:
                    continue
                if len(self._events) < self._limit:
                    self._events.append(event)
                else:
                    self._dropped += 1

    def take(self) -> tuple[bytes, int]:
        """What is there, as lines of the stream, and how many events are missing after it."""
        with self._lock:
            events, self._events = self._events, deque()
            dropped, self._dropped = self._dropped, 0
        lines = [_lines(records.kind_of(event), records.event(event), event.id) for event in events]
        if dropped:
            lines.append(_lines("dropped", {"count": dropped}))
        return b"".join(lines), dropped


def _lines(kind: str, record: Mapping[str, object], event_id: str = "") -> bytes:
    # the ids of standing changes hold separators
    identity = b"id: %s\n" % event_id.encode() if event_id and event_id.isprintable() else b""
    return b"%sevent: %s\ndata: %s\n\n" % (identity, kind.encode(), _encode(record))


class EventStreams:
    """Everyone who listens in this process."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._open: set[EventStream] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._open)

    def new(self, kinds: Collection[str]) -> EventStream:
        """A stream of the events of some kinds, to be answered with."""
        return EventStream(self, kinds)

    def close(self) -> None:
        """End every stream: the process is about to."""
        for stream in tuple(self._open):
            stream.end()

    def opened(self, stream: EventStream, listener: Callable[[Appended], None]) -> Callable[[], None]:
        """Follow the learner; returns how to stop."""
        self._open.add(stream)
        unsubscribe = self._learner.subscribe(listener)

        def stop() -> None:
            unsubscribe()
            self._open.discard(stream)

        return stop


class EventStream:
    """One listener's answer, an ASGI application: it ends when the client leaves or the process does."""

    def __init__(self, streams: EventStreams, kinds: Collection[str]) -> None:
        self._streams = streams
        self._feed = Feed(kinds)
        self._wake = asyncio.Event()
        self._ended = False
        self._gone = False

    def end(self) -> None:
        """Send what is there and no more."""
        self._ended = True
        self._wake.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they are learned, and a comment where there are none for a while."""
        head = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        loop = asyncio.get_running_loop()

        def listener(learned: Appended) -> None:
            self._feed.put(learned)
            # the loop may close while this is called from the commit's thread
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake.set)

        stop = self._streams.opened(self, listener)
        watching = asyncio.ensure_future(self._end_when_gone(receive))
        try:
            await send({"type": "http.response.body", "body": b": tiercel's events\n\n", "more_body": True})
            while not self._ended:
                await self._send_next(send)
        finally:
            watching.cancel()
            stop()
        if not self._gone:
            await send({"type": "http.response.body", "body": b""})

    async def _send_next(self, send: Send) -> None:
        lines = b": nothing new\n\n"
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), HEARTBEAT_S)
            self._wake.clear()
            lines, dropped = self._feed.take()
            self._streams.dropped += dropped
        if lines:
            await send({"type": "http.response.body", "body": lines, "more_body": True})

    async def _end_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.end()
