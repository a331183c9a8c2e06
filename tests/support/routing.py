"""A router over a memory store, with everything that is chance or time in the test's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from support.worlds import THREE_TIERS
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.policies.base import Policy
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.domain.catalogue import Agent, Catalogue, ModelProfile
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Appended, Fold
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.intake import FeedbackIntake
from tiercel.testing import ManualClock

PROMPT = CommitSettings(linger_s=0.0, idle_s=0.01, first_retry_s=0.0, last_retry_s=0.01)
"""Nothing lingers and retries follow at once: tests wait for receipts, not for time."""


class TroubledStore(MemoryStore):
    """A memory store that is away for the next `away` appends."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.tried = 0
        self.compacted = False

    def compact(self, now: datetime) -> None:
        self.compacted = True
        super().compact(now)

    def append(self, events: Sequence[Event], fold: Fold) -> Appended:
        self.tried += 1
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("scripted")
        return super().append(events, fold)


@dataclass
class Bench:
    """What a routing test needs at hand."""

    router: Router
    learner: Learner
    intake: FeedbackIntake
    store: TroubledStore
    clock: ManualClock
    draws: list[float] = field(default_factory=list)


@contextmanager
def bench(
    *,
    models: Sequence[ModelProfile] = THREE_TIERS,
    policy: Policy | None = None,
    routes: Sequence[Route] = (),
    agents: Sequence[Agent] = (),
    settings: CommitSettings = PROMPT,
) -> Iterator[Bench]:
    """A router whose draws are `Bench.draws` (0.5 where none is left: the greedy model)."""
    clock, store, draws = ManualClock(), TroubledStore(), list[float]()
    learner = Learner(store, clock=clock, settings=settings)
    table = RoutingTable(Catalogue(models), routes, Route(policy=policy or TierRulesPolicy(), name="default"))
    router = Router(table, learner, uniform=lambda _: draws.pop(0) if draws else 0.5, new_id=_ids("dec"), agents=agents)
    intake = FeedbackIntake(router, learner, new_id=_ids("feedback"), retention_s=7 * 86_400.0)
    try:
        yield Bench(router, learner, intake, store, clock, draws)
    finally:
        learner.close()


def _ids(prefix: str) -> Callable[[], str]:
    numbers = count()
    return lambda: f"{prefix}_{next(numbers)}"
