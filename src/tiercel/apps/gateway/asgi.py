"""The gateway as an ASGI application: the hot path by hand, everything else by Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tiercel.apps.gateway.body import Receive, Scope, Send
from tiercel.apps.gateway.chat import chat
from tiercel.apps.gateway.endpoints import build_endpoints
from tiercel.apps.gateway.roles import CHAT_PATH
from tiercel.apps.gateway.state import GatewayState


class Gateway:
    """One process's gateway over a `GatewayState`; closes it when the server shuts down.

    `on_ready` is awaited beside the first requests.
    """

    def __init__(self, state: GatewayState, *, on_ready: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self.state = state
        self._on_ready = on_ready
        self._running_on: asyncio.Task[None] | None = None
        self._endpoints: Any = build_endpoints(state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or the lifespan."""
        kind = scope["type"]
        if kind == "http":
            if scope["path"] == CHAT_PATH:
                await chat(scope, receive, send, self.state)
            else:
                await self._endpoints(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.state.start()
                if self._on_ready is not None:
                    self._running_on = asyncio.create_task(self._on_ready())
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._running_on is not None:
                    self._running_on.cancel()
                await self.state.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
