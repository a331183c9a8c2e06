"""One process of the simulation: a router with its learner, its clock and its disk. A crash leaves it the disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import cast

from simulation.network import Crashed, DistantStore, Network
from support.outbox import MemoryOutbox
from support.worlds import THREE_TIERS
from tiercel.core.policies.tier_rules import TierRulesPolicy
from tiercel.domain.catalogue import Catalogue
from tiercel.domain.decision import Decision
from tiercel.domain.errors import BufferFull, StoreUnavailable, UnknownDecision
from tiercel.domain.events import Event
from tiercel.domain.request import RequestContext
from tiercel.ports import Store
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Route, RoutingTable
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.delivering.group_commit import GroupCommit
from tiercel.services.delivering.receipts import Receipt
from tiercel.services.learning.learner import Learner
from tiercel.services.rating.intake import FeedbackIntake, FeedbackRequest
from tiercel.testing import ManualClock

SETTINGS = CommitSettings(max_batch=4, max_buffered=50, first_retry_s=0.5, last_retry_s=4.0, idle_s=2.0, max_drained=4)
STAGES = ("analysis", "writing")


class ByHand(GroupCommit):
    """Nothing runs by itself: whoever simulates takes the steps."""

    def start(self) -> None:
        """There is no thread."""


class Disk(MemoryOutbox):
    """An outbox that may be full, and whose process may end before or after it was written."""

    def __init__(self, random: Random) -> None:
        super().__init__(limit=60)
        self.crash = 0.0
        self._random = random

    def add(self, events: Sequence[Event], parts: Sequence[int] = ()) -> None:
        self._maybe_crash()
        super().add(events, parts)
        self._maybe_crash()

    def delivered(self, mark: int, part: int = 0) -> None:
        self._maybe_crash()
        super().delivered(mark, part)
        self._maybe_crash()

    def _maybe_crash(self) -> None:
        if self._random.random() < self.crash:
            raise Crashed


@dataclass
class Ledger:
    """What all processes' callers were told, and what went wrong where nothing may."""

    acknowledged: set[str] = field(default_factory=set)
    decisions: int = 0
    broken: list[str] = field(default_factory=list)


class Process:
    """It may be running, or have crashed: then `router` is None."""

    def __init__(self, name: str, network: Network, random: Random, ledger: Ledger) -> None:
        self.name = name
        self.disk = Disk(random)
        self.clock = ManualClock()
        self.router: Router | None = None
        self.order: list[list[str]] = []
        self._network = network
        self._random = random
        self._ledger = ledger
        self._ids = count(1)
        self._ahead_s = 0.0
        self._waiting: list[tuple[tuple[Event, ...], Future[Receipt]]] = []
        self._said: list[FeedbackRequest] = []
        self._decided: list[Decision] = []

    def start(self) -> None:
        """Begin, with what the disk holds."""
        store = cast("Store", DistantStore(self._network, self.name))
        try:
            learner = Learner(
                store, clock=self.clock, outbox=self.disk, settings=SETTINGS, jitter=self._random.random, run=ByHand
            )
        except Crashed:
            return
        except StoreUnavailable as failure:
            self._ledger.broken.append(f"{self.name} did not start: {failure!r}")
            return
        table = RoutingTable(Catalogue(THREE_TIERS), (), Route(policy=TierRulesPolicy(), name="default"))
        self.router = Router(table, learner, uniform=lambda _: self._random.random(), new_id=self._new_id)
        self._intake = FeedbackIntake(self.router, learner, new_id=self._new_id, retention_s=7 * 86_400.0)
        # what one life of a process left with its delivery, in that order
        self.order.append([])

    def skew(self, seconds: float) -> None:
        """From now on the time of day is so much ahead of what it is."""
        self.clock.step(seconds - self._ahead_s)
        self._ahead_s = seconds

    def crash(self) -> None:
        """Memory is lost. What callers had been told by now they were told."""
        self._note_receipts()
        self._waiting.clear()
        self.router = None

    def decide(self) -> Decision | None:
        """A decision is always returned."""
        if self.router is None:
            return None
        try:
            decision = self.router.decide(RequestContext(workflow="w", stage=self._random.choice(STAGES)))
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is what must not be
            self._ledger.broken.append(f"{self.name} did not decide: {failure!r}")
            return None
        self._ledger.decisions += 1
        self.order[-1].append(decision.id)
        self._decided.append(decision)
        return decision

    def report(self, decision: Decision) -> None:
        """What the call did."""
        if self.router is not None:
            outcome = self.router.outcome(decision, success=self._random.random() < 0.9, latency_ms=10.0)
            self._send((outcome,))

    def rate(self, decision: Decision) -> None:
        """A rating of a decision, by whichever process that was made; sometimes one that was given before."""
        again = self._said and self._random.random() < 0.2
        source = self._random.choice(("user:1", "user:2", "judge"))
        request = FeedbackRequest(
            quality=self._random.random(), decision_id=decision.id, source=source, id=f"{self.name}/f{next(self._ids)}"
        )
        request = self._random.choice(self._said) if again else request
        self._said.append(request)
        if self.router is not None:
            try:
                event = self._intake.prepare(request)
            except (StoreUnavailable, UnknownDecision):
                return  # nothing was acknowledged
            self._send((event,))

    def step(self) -> None:
        """Do what is due; the process may end in the middle of it."""
        if self.router is not None:
            self.router.learner.delivery.step(self.clock.monotonic_s())
            self._note_receipts()

    @property
    def waits_for(self) -> set[int]:
        """The parts of the store that something has not reached."""
        if self.router is None:
            return set()
        delivery = self.router.learner.delivery
        waiting = {*delivery._taken.parts, *self.disk.parts}
        return waiting | {-1} if delivery.pending else waiting

    def _send(self, events: tuple[Event, ...]) -> None:
        if self.router is None:
            return
        try:
            receipt = self.router.learner.send(*events)
        except BufferFull:
            return
        self.order[-1] += [event.id for event in events]
        self._waiting.append((events, receipt))

    def _note_receipts(self) -> None:
        done = [(events, receipt) for events, receipt in self._waiting if receipt.done()]
        self._waiting = [(events, receipt) for events, receipt in self._waiting if not receipt.done()]
        for events, receipt in done:
            if receipt.exception(0) is None:
                self._ledger.acknowledged |= {event.id for event in events}

    def _new_id(self) -> str:
        return f"{self.name}/{next(self._ids)}"
