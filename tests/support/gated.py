"""Processes that share a store and ask before a tier changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from support.routing import PROMPT
from support.worlds import SEGMENT, THREE_TIERS
from tiercel.core.policies.gated import GatedPolicy, GateSettings
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.changes import Change
from tiercel.domain.events import Feedback
from tiercel.ports import Clock, Store
from tiercel.services.changing.approvals import Approvals
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.learning.learner import Learner

_numbers = count()


@dataclass
class Process:
    """One of those that share a store."""

    learner: Learner
    router: Router
    approvals: Approvals

    def rate(self, quality: float, ratings: int = 1, tier: str = "cheap") -> None:
        """Ratings of the stage's tier, logged and reviewed."""
        at = self.learner.clock.now()
        said = [
            Feedback(id=f"f{next(_numbers)}", recorded_at=at, segment=SEGMENT, tier=tier, quality=quality)
            for _ in range(ratings)
        ]
        self.learner.record(*said, timeout_s=10.0)

    def look(self) -> None:
        """Move on what is due, and learn what the others logged."""
        self.approvals.check()
        self.learner.flush(10.0)
        self.learner.catch_up()

    def only(self) -> Change:
        """The one change there is."""
        (change,) = self.approvals.changes()
        return change

    @property
    def tier(self) -> str:
        """What serves the stage."""
        standing = self.learner.knowledge.standing("tier-rules", SEGMENT)
        return standing.current if standing else "cheap"


@contextmanager
def process(store: Store, clock: Clock, gate: GateSettings) -> Iterator[Process]:
    """A process of its own over `store`, which stays open."""
    learner = Learner(store, clock=clock, settings=PROMPT)
    table = RoutingTable(Catalogue(THREE_TIERS), (), Route(policy=GatedPolicy(TierRulesPolicy(), gate), name="default"))
    router = Router(table, learner, uniform=lambda _: 0.5)
    try:
        yield Process(learner, router, Approvals(learner, router.reviews.due))
    finally:
        learner.close()
