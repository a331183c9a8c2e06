"""The gateway in this process: a scripted provider behind it, and a store that can be away."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from starlette.testclient import TestClient

from tiercel.adapters.clock import SystemClock
from tiercel.adapters.memory_store import MemoryStore
from tiercel.apps.gateway.asgi import Gateway
from tiercel.apps.gateway.state import NO_KEYS, GatewayState
from tiercel.config.settings import ProviderSettings, Settings, StoreSettings
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.alerts import Alert
from tiercel.domain.catalogue import Agent, ModelProfile, Price
from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.domain.samples import SAMPLE_AGENTS
from tiercel.library.router import AsyncRouter
from tiercel.ports import Appended, Clock, DecisionRecord, Fold, Position, Provider
from tiercel.testing import ScriptedProvider

PROVIDER = "scripted"


def model(model_id: str, tier: str, **fields: object) -> ModelProfile:
    """A model of the scripted provider, with a price."""
    known = ModelProfile(
        model_id=model_id,
        tier=tier,
        provider=PROVIDER,
        upstream=f"upstream-{model_id}",
        capabilities={"general": 0.8, "coding": 0.6},
        context_length=8000,
        price=Price(1.0, 2.0),
    )
    return replace(known, **fields)  # type: ignore[arg-type]


SMALL, LARGE = model("small", "cheap"), model("large", "premium")


class AwayStore(MemoryStore):
    """A store in memory that is `away` when told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self._refused = threading.Semaphore(0)

    def wait_until_noticed(self) -> None:
        """Block until somebody has tried in vain and tries again: then he knows."""
        for _ in range(2):
            assert self._refused.acquire(timeout=10)

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        self._check()
        return super().append(events, fold)

    def events_after(self, position: Position, limit: int) -> tuple[Sequence[Event], Position]:
        self._check()
        return super().events_after(position, limit)

    def decision(self, decision_id: str) -> DecisionRecord | None:
        self._check()
        return super().decision(decision_id)

    def recent_decisions(self, limit: int) -> Sequence[Decision]:
        self._check()
        return super().recent_decisions(limit)

    def recent_alerts(self, limit: int) -> Sequence[Alert]:
        self._check()
        return super().recent_alerts(limit)

    def load(self) -> tuple[Deltas, Position]:
        self._check()
        return super().load()

    def _check(self) -> None:
        if self.away:
            self._refused.release()
            raise StoreUnavailable("away, says the test")


def gateway_settings(
    models: Sequence[ModelProfile] = (SMALL, LARGE), agents: Sequence[Agent] = SAMPLE_AGENTS, **fields: object
) -> Settings:
    """The settings of a gateway in memory over the scripted provider."""
    plain = Settings(
        store=StoreSettings(url="memory://"),
        models=tuple(models),
        agents=tuple(agents),
        providers=(ProviderSettings(id=PROVIDER, base_url="http://127.0.0.1:9/v1"),),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def gateway_state(
    provider: Provider | None = None,
    *,
    settings: Settings | None = None,
    store: MemoryStore | None = None,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
    keys: Mapping[str, str] = NO_KEYS,
) -> GatewayState:
    """What the endpoints need."""
    settings = settings or gateway_settings()
    if providers is None:
        providers = {PROVIDER: provider or ScriptedProvider()}
    router = AsyncRouter(
        # what no route matches is decided by rules: these tests tell where a request goes
        policy="tier-rules",
        settings=settings,
        store=store or MemoryStore(),
        providers=providers,
        clock=clock or SystemClock(),
    )
    return GatewayState(router, settings, keys)


@contextmanager
def client(state: GatewayState | None = None) -> Iterator[TestClient]:
    """A client of a gateway that has started."""
    with TestClient(Gateway(state or gateway_state()), base_url="http://127.0.0.1:8080") as opened:
        yield opened
