"""One exchange with an ASGI application, by hand: what arrives when, and when the client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tiercel.apps.gateway.body import Message, Receive, Scope, Send

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Exchange:
    """A request under way: `messages` is what was answered so far."""

    def __init__(
        self,
        application: Application,
        path: str,
        *,
        method: str = "POST",
        body: object = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        given = {"content-type": "application/json", **(headers or {})}
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 5000),
        }
        self.messages: list[Message] = []
        self._request: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]
        self._left = asyncio.Event()
        self._progress = asyncio.Event()
        self.task = asyncio.ensure_future(application(self.scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if self._request:
            return self._request.pop()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.messages.append(message)
        self._progress.set()
        await asyncio.sleep(0)

    def leave(self) -> None:
        """The client closes the connection."""
        self._left.set()

    async def until(self, condition: Callable[[Exchange], bool]) -> None:
        """Wait until `condition` holds of what was answered; for 10 s at most."""
        async with asyncio.timeout(10):
            while not condition(self):
                self._progress.clear()
                await self._progress.wait()

    async def end(self) -> Exchange:
        """Wait for the end of the answer."""
        async with asyncio.timeout(10):
            await self.task
        return self

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The answer's body so far."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """The answer's body, decoded."""
        return json.loads(self.body)
