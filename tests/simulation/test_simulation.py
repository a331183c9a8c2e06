"""What holds for every seed: 1,000 of them here, as many as one likes by `make soak`.

That the simulation would notice is shown too: each guard is removed once, and some seed goes red by the invariant that
the guard serves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import pytest

from simulation.divided import GONE, DividedStore
from simulation.process import Disk, Process
from simulation.world import TURNS, World
from support.outbox import MemoryOutbox
from support.told import tell
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.fold import Deltas
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.domain.request import RequestContext
from tiercel.ports import Appended, Fold, Position
from tiercel.services.deciding.router import Router
from tiercel.services.delivering.access import Access
from tiercel.services.delivering.delivery import Delivery
from tiercel.services.delivering.keeping import Keeping
from tiercel.services.delivering.receipts import Batch, Receipt
from tiercel.services.learning import learner

SEEDS = 1_000
BLOCK = 50
ENOUGH = 100
"""Seeds within which a missing guard must show."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the simulated processes would say of their troubles is no news here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_whatever_happens_the_invariants_hold(first: int) -> None:
    for seed in range(first, first + BLOCK):
        broken = World(seed).play()
        assert not broken, f"seed {seed} (alone: make soak FIRST={seed} SEEDS=1 TURNS={TURNS}): {'; '.join(broken)}"


def test_a_seed_says_it_all() -> None:
    worlds = [World(7), World(7)]
    assert [world.play() for world in worlds] == [[], []]
    assert worlds[0].ledger == worlds[1].ledger
    assert worlds[0].store.load() == worlds[1].store.load()


def no_id_check(patch: pytest.MonkeyPatch) -> None:
    """The store logs what it has already."""
    append = MemoryStore.append

    def forgetful(store: MemoryStore, events: Sequence[Event], fold: Fold) -> Appended:
        store._by_id.clear()
        return append(store, events, fold)

    patch.setattr(MemoryStore, "append", forgetful)


def dropped_instead_of_kept(patch: pytest.MonkeyPatch) -> None:
    """What the store has not got is acknowledged and forgotten."""

    def drop(_: Keeping, batches: Sequence[Batch]) -> list[Batch]:
        for batch in batches:
            batch.settle(Receipt(kept=True))
        return []

    patch.setattr(Keeping, "keep", drop)


def removed_before_it_is_delivered(patch: pytest.MonkeyPatch) -> None:
    """The outbox forgets what it hands out."""

    def hand_out(disk: Disk, limit: int, part: int = 0) -> tuple[Sequence[Event], int]:
        events, mark = MemoryOutbox.next(disk, limit, part)
        MemoryOutbox.delivered(disk, mark, part)
        return events, mark

    patch.setattr(Disk, "next", hand_out)
    patch.setattr(Disk, "delivered", lambda disk, _mark, _part: disk._maybe_crash())


def lost_in_a_crash(patch: pytest.MonkeyPatch) -> None:
    """The outbox is in memory."""
    start = Process.start

    def forgetting(process: Process) -> None:
        process.disk.events.clear()
        start(process)

    patch.setattr(Process, "start", forgetting)


def past_what_waits(patch: pytest.MonkeyPatch) -> None:
    """What comes later is sent before what waits in the outbox."""
    step = Delivery.step

    def hasty(delivery: Delivery, now_s: float) -> float:
        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(Keeping, "parts", ())
            delivery._take()
            some = [part for part in delivery._taken.parts if now_s >= delivery._access.retry_at_s(part)]
            batches = delivery._taken.take_out(some, delivery.settings.max_batch)
            if batches:
                delivery._send(batches, now_s)
        return step(delivery, now_s)

    patch.setattr(Delivery, "step", hasty)


def a_part_that_is_away_has_all(patch: pytest.MonkeyPatch) -> None:
    """What belongs to a part that did not answer is taken to be there."""
    commit = Access.commit

    def trusting(access: Access, events: Sequence[Event], parts: Collection[int], now_s: float) -> Appended:
        return replace(commit(access, events, parts, now_s), missing={})

    patch.setattr(Access, "commit", trusting)


def a_part_that_is_away_is_the_store(patch: pytest.MonkeyPatch) -> None:
    """One part does not answer, and the store is taken to be away."""
    append = DividedStore.append

    def all_or_nothing(store: DividedStore, events: Sequence[Event], fold: Fold) -> Appended:
        appended = append(store, events, fold)
        if appended.missing:
            raise StoreUnavailable(GONE)
        return appended

    patch.setattr(DividedStore, "append", all_or_nothing)


def a_part_that_was_away_is_read_from_its_end(patch: pytest.MonkeyPatch) -> None:
    """Who starts while a part is away does not learn what it holds."""
    load = DividedStore.load

    def hasty(store: DividedStore) -> tuple[Deltas, Position]:
        state, places = load(store)
        return state, tuple(place or part.load()[1][0] for place, part in zip(places, store.parts, strict=True))

    patch.setattr(DividedStore, "load", hasty)


def others_are_not_read(patch: pytest.MonkeyPatch) -> None:
    """Whoever logs goes on from there, whatever others have logged in between."""

    def follow(appended: Appended, position: Position) -> Position | None:
        reached = {span.partition: span.last for span in appended.spans}
        return tuple(reached.get(partition, at) for partition, at in enumerate(position))

    patch.setattr(Appended, "follow", follow)


def a_decision_asks_the_store(patch: pytest.MonkeyPatch) -> None:
    decide = Router.decide

    def asking(router: Router, request: RequestContext) -> object:
        router.learner.store.decision("whatever")
        return decide(router, request)

    patch.setattr(Router, "decide", asking)


def a_start_needs_the_store(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(learner, "StoreUnavailable", ZeroDivisionError)


@pytest.mark.parametrize(
    ("remove", "noticed"),
    [
        (no_id_check, "entries of"),
        (dropped_instead_of_kept, "acknowledged and lost"),
        (removed_before_it_is_delivered, "acknowledged and lost"),
        (lost_in_a_crash, "acknowledged and lost"),
        (past_what_waits, "another order"),
        (a_part_that_is_away_has_all, "acknowledged and lost"),
        (a_part_that_is_away_is_the_store, "did not need"),
        (a_part_that_was_away_is_read_from_its_end, "something else than the log teaches"),
        (others_are_not_read, "something else than the log teaches"),
        (a_decision_asks_the_store, "did not decide"),
        (a_start_needs_the_store, "did not start"),
    ],
)
def test_without_its_guard_an_invariant_breaks(
    monkeypatch: pytest.MonkeyPatch, remove: Callable[[pytest.MonkeyPatch], None], noticed: str
) -> None:
    remove(monkeypatch)
    for seed in range(ENOUGH):
        broken = World(seed).play()
        if any(noticed in what for what in broken):
            tell(f"{remove.__name__}: seed {seed}: {broken[0]}")
            return
    pytest.fail(f"{ENOUGH} seeds did not notice: {remove.__name__}")
