"""How far the log goes, and what became of it other than by appending."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from tiercel.adapters.redis_store.keys import Keys
from tiercel.adapters.redis_store.server import Argument, Write
from tiercel.domain.errors import StoreCorrupt

FIELDS = ("position", "learned", "floor", "generation", "compacted_at_s", "log")


class Progress(NamedTuple):
    """`position`: of the newest entry of the log. `learned`: up to where the learned layer has learned.

    `floor`: below it the log cannot be followed any more. `generation` counts what changed the log or the state other
    than by appending. `log` names this log, so that nobody goes on in another that took its place; "" before the first.
    """

    position: int = 0
    learned: int = 0
    floor: int = 0
    generation: int = 0
    compacted_at_s: float = 0.0
    log: str = ""


def asked(keys: Keys) -> tuple[str, ...]:
    """The command whose answer `read` reads."""
    return ("HMGET", keys.progress.name, *FIELDS)


def read(answer: Sequence[bytes | None]) -> Progress:
    """The progress at one moment. Raises `StoreCorrupt`."""
    if all(figure is None for figure in answer):
        return Progress()
    try:
        position, learned, floor, generation, compacted_at_s, log = (bytes(figure or b"").decode() for figure in answer)
        return Progress(int(position), int(learned), int(floor), int(generation), float(compacted_at_s), log)
    except ValueError as error:
        raise StoreCorrupt(f"the store has lost count of its log: {error}") from error


def begin(keys: Keys, now: Progress) -> Write:
    """A step that is done only while the log and the generation are those of `now`."""
    write = Write(keys.progress)
    write.only_if(now.log or None, "HGET", keys.progress, "log")
    if now.log:
        write.only_if(now.generation, "HGET", keys.progress, "generation")
    else:
        first = now._replace(log=secrets.token_hex(8))
        write.begun = first.log
        set_progress(write, keys, **{field: str(figure) for field, figure in first._asdict().items()})
    return write


def set_progress(write: Write, keys: Keys, **figures: Argument) -> None:
    """Write some of the progress down."""
    for field, figure in figures.items():
        write.add("HSET", keys.progress, field, figure)


def only_if_learned(write: Write, keys: Keys, now: Progress) -> None:
    """The step is done only while the learned layer is that of `now`."""
    write.only_if(now.learned if now.log else None, "HGET", keys.progress, "learned")


def without_past(write: Write, keys: Keys, now: Progress) -> None:
    """After a change that followers of the log cannot be told of: a position is used up for it.

    The learned layer stands where it stood: what others append until this is done is learned after it.
    """
    set_progress(write, keys, position=1, floor=1, learned=str(now.learned), generation=str(now.generation + 1))
