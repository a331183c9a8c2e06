"""Copying the log to an archive, and only what is new since the last time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tiercel.core.logbook import event_time
from tiercel.domain.errors import InvalidInput, PositionLost
from tiercel.ports import Archive, Mark, Position, Store

_READ = 1_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What was copied: `events` events, logged after position `after` and up to `position`.

    `missing_from` is where the last export ended, if what was logged between there and `after` could no longer be had.
    """

    events: int
    after: Position
    position: Position
    missing_from: Position | None = None


def export_log(
    store: Store, archive: Archive, *, again: bool = False, progress: Callable[[int, datetime], None] | None = None
) -> Exported:
    """Copy what was logged since the last export, the first time everything that the log still holds.

    Where the log can no longer be followed from the end of the last export, `again` says to go on from the oldest entry
    that it can be followed from; else that raises `PositionLost`. Raises `InvalidInput` where the archive is another
    log's. `progress` is told how many events were read and when the last of them happened.
    """
    mark = archive.mark
    after = _start(store, mark, again=again)
    if mark is None or after != mark.position:
        archive.begin(after)
    missing_from = mark.position if mark is not None and after != mark.position else None
    position, count = after, 0
    while True:
        try:
            events, position = store.events_after(position, _READ)
        except PositionLost as error:  # while it was read
            archive.flush()
            raise _lost(position) from error
        if not events:
            archive.flush()
            return Exported(count, after, position, missing_from)
        archive.add(events, position)
        count += len(events)
        if progress is not None:
            progress(count, event_time(events[-1]))


def _start(store: Store, mark: Mark | None, *, again: bool) -> Position:
    oldest = store.oldest()
    if mark is None:
        return oldest
    if len(mark.position) != len(oldest) or not _is_of(store, mark):
        raise _of_another_log(mark)
    try:
        store.events_after(mark.position, 1)
    except PositionLost as error:
        readable = tuple(map(max, mark.position, oldest))
        if readable == mark.position:
            raise _of_another_log(mark) from error
        if again:
            return readable
        raise _lost(mark.position) from error
    return mark.position


def shown(position: Position) -> str:
    """A position as people read it: 1,234, or a figure for each partition."""
    return "/".join(f"{place:,}" for place in position)


def _lost(position: Position) -> PositionLost:
    return PositionLost(
        f"the log can no longer be followed from position {shown(position)}, where the export ended: ratings were "
        "cleared, the state was rebuilt, or entries were removed by age before they were exported; --again keeps what "
        "was exported and goes on from the oldest entry that can be read"
    )


def _of_another_log(mark: Mark) -> InvalidInput:
    return InvalidInput(
        f"the log does not hold {mark.event_id!r} at position {shown(mark.position)}, where the last export ended: "
        "this is another log, or an older copy of it; export it to another folder"
    )


def _is_of(store: Store, mark: Mark) -> bool:
    """Whether the last event that was copied is where it was; where that cannot be told, yes."""
    if not mark.event_id:
        return True
    for partition, place in enumerate(mark.position):
        if place == 0:
            continue
        before = (*mark.position[:partition], place - 1, *mark.position[partition + 1 :])
        try:
            # room for one of each partition: so the one at `place` is among them
            events, _ = store.events_after(before, len(before))
        except PositionLost:
            return True
        if mark.event_id in (event.id for event in events):
            return True
    return False
