"""A gateway with a key for each role, every one with the word CANARY in it."""

from __future__ import annotations

from typing import Any

from support.in_process import gateway_settings, gateway_state
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import KeySettings, ServerSettings
from tiercel.domain.access import Role
from tiercel.testing import ManualClock

KEYS = {str(role): f"CANARY-key-of-the-{role}" for role in Role}
KEY_SETTINGS = tuple(KeySettings(name=str(role), key_env=f"{role}_KEY".upper(), role=role) for role in Role)
WRONG = "CANARY-key-of-nobody"


def bearer(role: str) -> dict[str, str]:
    """The headers of an OpenAI client with the key of a role; "" is a client without a key."""
    return {"authorization": f"Bearer {KEYS[role]}"} if role else {}


def keyed_state(clock: ManualClock | None = None, server: ServerSettings | None = None, **fields: Any) -> GatewayState:  # noqa: ANN401
    """What the endpoints of a gateway with keys need."""
    settings = gateway_settings(keys=KEY_SETTINGS, server=server or ServerSettings(), **fields)
    return gateway_state(settings=settings, keys=KEYS, clock=clock)
