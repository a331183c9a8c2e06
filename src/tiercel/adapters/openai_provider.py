"""Any OpenAI-compatible endpoint, through pyreqwest.

One client per provider: its key is in no other client's headers. Redirects, environment proxies, decompression and the
Referer header are off: bytes are relayed as they come, and a key goes to the configured host only.

pyreqwest 0.15 cannot abandon a call whose head has not arrived: a cancelled call runs on until its time-out. Hence the
total time-out on every call that is not streamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

# ruff: noqa: FBT003 - the builder's switches take their value by position
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    ClientClosedError,
    ConnectError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.http import Url
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from tiercel.domain.errors import ProviderError, ProviderProtocolError, ProviderTimeout, ProviderUnreachable
from tiercel.ports import NO_HEADERS, ProviderResponse

CONNECT_TIMEOUT_S = 10.0
_IDLE_S = 60.0
_MAX_IDLE = 256
_RELAYED_HEADERS = ("content-type", "retry-after")
_PROMPT_BYTES = 1
"""The read buffer of a stream: with a larger one pyreqwest holds events back until it is full."""
_WHOLE_BYTES = 1 << 20


class OpenAIProvider:
    """Calls `{base_url}/chat/completions`."""

    def __init__(self, base_url: str, api_key: str = "", *, timeout_s: float = 120.0) -> None:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._url = Url(base_url.rstrip("/") + "/chat/completions")
        self._closed = False
        self._client: Client = (
            ClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http1_only()
            .connect_timeout(timedelta(seconds=CONNECT_TIMEOUT_S))
            .read_timeout(timedelta(seconds=timeout_s))
            .pool_idle_timeout(timedelta(seconds=_IDLE_S))
            .pool_max_idle_per_host(_MAX_IDLE)
            .default_headers(headers)
            .user_agent("tiercel")
            .build()
        )

    async def chat(
        self, body: bytes, *, stream: bool, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS
    ) -> ProviderResponse:
        """Send one request; the answer's head has arrived when this returns.

        `timeout_s` bounds the whole call, or with `stream` the wait for the next bytes only (set at construction).
        """
        if self._closed:
            # pyreqwest would still connect, and send, before it says so
            raise ProviderUnreachable
        builder = self._client.post(self._url).body_bytes(body)
        if headers:
            builder = builder.headers(headers)
        if stream:
            builder = builder.streamed_read_buffer_limit(_PROMPT_BYTES)
        else:
            builder = builder.timeout(timedelta(seconds=timeout_s)).streamed_read_buffer_limit(_WHOLE_BYTES)
        request = builder.build_streamed()
        try:
            response = await request.__aenter__()
        except PyreqwestError as error:
            raise _translated(error) from error
        try:
            headers = {name: value for name in _RELAYED_HEADERS if (value := response.get_header(name)) is not None}
        except ValueError as error:
            # a header that is no text
            await request.__aexit__(None, None, None)
            raise ProviderProtocolError from error
        return ProviderResponse(response.status, headers, _Body(request, response))

    async def close(self) -> None:
        """Close the connections; idempotent. No call is possible any more."""
        self._closed = True
        await self._client.close()


class _Body:
    """The chunks as they come. Closing it early ends the upstream call within milliseconds."""

    __slots__ = ("_read", "_request")

    def __init__(self, request: StreamRequest, response: Response) -> None:
        self._request: StreamRequest | None = request
        self._read = response.body_reader.read_chunk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._read()
        except PyreqwestError as error:
            await self.aclose()
            raise _translated(error) from error
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        return chunk.to_bytes()

    async def aclose(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            await request.__aexit__(None, None, None)


def _translated(error: PyreqwestError) -> ProviderError:
    """By type alone. pyreqwest reports a time-out while waiting for the head as a time-out of the connection."""
    if isinstance(error, RequestTimeoutError):
        return ProviderTimeout()
    if isinstance(error, ConnectError | ClientClosedError):
        return ProviderUnreachable()
    return ProviderProtocolError()
