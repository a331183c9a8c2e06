"""A write-ahead log that was left by a crash and damaged: what is read is what was written first, or nothing."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

from support.happenings import feedback, outcome
from support.reported import Reported
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import StoreCorrupt
from tiercel.domain.events import Event
from tiercel.ports import START

SEED = 20_261_122
EVENTS: list[Event] = [
    event
    for n in range(150)
    for event in (outcome(n, seconds=n * 4_000), feedback(f"f{n}", n / 150, seconds=n * 4_000))
]


def damage(path: Path, draw: random.Random) -> None:
    """Some bytes are not what was written, or the end is missing."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if draw.random() < 0.3:
            file.truncate(draw.randrange(size))
        else:
            file.seek(draw.randrange(size))
            file.write(draw.randbytes(draw.choice((1, 8, 200))))


def test_a_damaged_wal_is_read_as_far_as_it_is_whole(tmp_path: Path, reported: Reported) -> None:
    files, wrong, fates = reported.size(40, 300), 0, Counter[str]()
    left = tmp_path / "left"
    left.mkdir()
    with closing(SqliteStore(left / "log.db", learn_every=90)) as store:
        for start in range(0, len(EVENTS), 10):
            store.append(EVENTS[start : start + 10], fold)
        for number in range(files):  # copied from under it, as a crash leaves them
            folder = tmp_path / str(number)
            folder.mkdir()
            for name in ("log.db", "log.db-wal"):
                shutil.copy(left / name, folder / name)
    for number in range(files):
        folder = tmp_path / str(number)
        damage(folder / "log.db-wal", random.Random(f"{SEED}/{number}"))
        with closing(SqliteStore(folder / "log.db")) as store:
            try:
                found, _ = store.events_after(START, 1_000)
                state, _ = store.load()
            except StoreCorrupt:
                fates["noticed when read"] += 1
                continue
        aside = any(".corrupt-" in entry.name for entry in folder.iterdir())
        fates["put aside" if aside else "whole" if len(found) == len(EVENTS) else "read as far as whole"] += 1
        wrong += list(found) != EVENTS[: len(found)] or state != fold(found).climbed(0.0)
    shares = ", ".join(f"{fate} {count}" for fate, count in fates.most_common())
    what = f"write-ahead log ({shares}): starts that failed, and data that was not what was written"
    reported.none("damage", what, of=files, bad=wrong, seeds=SEED)
