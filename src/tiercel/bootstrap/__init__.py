"""The one place where adapters meet services."""

from tiercel.bootstrap.notifying import build_outlets
from tiercel.bootstrap.policies import POLICIES, build_policy
from tiercel.bootstrap.routers import build_providers, build_route, build_router, load_priced, load_settings
from tiercel.bootstrap.stores import SHARED_IDLE_S, SYSTEM_CLOCK, build_learner, build_outbox, jitter, open_store
from tiercel.bootstrap.telemetry import build_telemetry

__all__ = [
    "POLICIES",
    "SHARED_IDLE_S",
    "SYSTEM_CLOCK",
    "build_learner",
    "build_outbox",
    "build_outlets",
    "build_policy",
    "build_providers",
    "build_route",
    "build_router",
    "build_telemetry",
    "jitter",
    "load_priced",
    "load_settings",
    "open_store",
]
