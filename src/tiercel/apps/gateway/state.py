"""What every endpoint needs, put together once per process."""

from __future__ import annotations

from dataclasses import dataclass

from tiercel.config.settings import Settings
from tiercel.library.router import AsyncRouter


@dataclass(frozen=True, slots=True)
class GatewayState:
    """The router (with its learner, intake and completions) and the settings it was made from."""

    router: AsyncRouter
    settings: Settings
