"""Who runs models, and the answers they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ByteStream(Protocol):
    """Bytes as they arrive. Closing it, begun or not, ends the call behind it; errors are `ProviderError`s."""

    def __aiter__(self) -> ByteStream: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """End the call; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """The head of an upstream's answer, and its body as it arrives."""

    status: int
    headers: Mapping[str, str]
    body: ByteStream


class Provider(Protocol):
    """Someone who runs models behind an OpenAI-compatible endpoint."""

    async def chat(
        self, body: bytes, *, stream: bool, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS
    ) -> ProviderResponse:
        """Send one chat completion request and return when the answer's head has arrived.

        `headers` go with it: what tells upstream to which trace the call belongs.

        Raises `ProviderUnreachable` or `ProviderTimeout`. An error status is returned, not raised.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
