"""Batches that come twice, late, in another order, or again because nobody heard what became of them count once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from support.happenings import SEGMENTS, feedback, outcome
from support.reported import Reported
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event

SEED = 20_261_122


def events(draw: random.Random) -> list[Event]:
    """Calls and ratings, each with an id of its own."""
    made: list[Event] = []
    for n in range(draw.randrange(10, 40)):
        segment, seconds = SEGMENTS[n % len(SEGMENTS)], draw.uniform(0, 90_000)
        made.append(outcome(n, seconds=seconds, segment=segment, success=draw.random() < 0.9))
        made.append(feedback(f"f{n}", draw.random(), seconds=seconds, segment=segment, source=f"user:{n % 3}"))
    return made


def sent(store: SqliteStore, batch: Sequence[Event], draw: random.Random) -> None:
    """Send a batch until it is acknowledged; the answer may be lost after the work was done, or before."""

    def interrupted(given: Sequence[Event]) -> Deltas:
        raise StoreUnavailable("before anything was done")

    while (fate := draw.random()) < 0.4:
        if fate < 0.2:
            store.append(batch, fold)  # done, and the answer lost
            continue
        try:
            store.append(batch, interrupted)
        except StoreUnavailable:
            continue
    store.append(batch, fold)


def test_whatever_comes_again_counts_once(tmp_path: Path, reported: Reported) -> None:
    worlds = reported.size(20, 1_000)
    wrong = sends = 0
    for number in range(worlds):
        draw = random.Random(f"{SEED}/{number}")
        made = events(draw)
        shuffled = draw.sample(made, len(made))
        batches = [shuffled[start : start + 7] for start in range(0, len(shuffled), 7)]
        batches += draw.choices(batches, k=len(batches))
        draw.shuffle(batches)
        with closing(SqliteStore(tmp_path / f"{number}.db", learn_every=20)) as store:
            for batch in batches:
                # a batch need not be cut as it was before
                sent(store, draw.sample([*batch, *draw.choices(made, k=2)], len(batch) + 2), draw)
            sends += len(batches)
            state, _ = store.load()
            wrong += state != fold(made).climbed(0.0)
    what = f"{sends:,} batches repeated, shuffled, sent again after a lost answer: states that are not those of once"
    reported.none("repeats", what, of=worlds, bad=wrong, seeds=f"{SEED}/0..{worlds - 1}")
