"""The layout of an export: where a part stands, and the manifest that says how far the log was exported."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tiercel.adapters.parquet_log.rows import KINDS
from tiercel.domain.errors import InvalidInput, MissingDependency
from tiercel.ports import Mark

MANIFEST = "_tiercel.json"
UNFINISHED = ".unfinished"
"""What the name of a file ends with while it is written: nobody takes it for Parquet."""
_FORMAT = 2
_UNDIVIDED = 1
"""The format when a log had one partition and rows had the numbers of its entries."""
_PART = re.compile(r"part-(\d+)-(\d+)\.parquet")


class Manifest(NamedTuple):
    """What was exported: so many `events`, and how far that is in the log."""

    events: int
    mark: Mark


class Part(NamedTuple):
    """A file of a table's rows of one day, of the `first` to the `last` event that was exported."""

    first: int
    last: int
    table: str
    day: str

    def path(self, folder: Path) -> Path:
        """Where it stands in an export."""
        return folder / self.table / f"day={self.day}" / f"part-{self.first}-{self.last}.parquet"


def is_export(folder: Path) -> bool:
    """Whether an export was begun there."""
    return (folder / MANIFEST).is_file()


def parts(folder: Path) -> Iterator[Part]:
    """Every part there is. Raises `InvalidInput` for a Parquet file that is none."""
    for kind in KINDS:
        for path in sorted((folder / kind.table).glob("day=*/*.parquet")):
            named = _PART.fullmatch(path.name)
            if named is None:
                raise InvalidInput(f"{path} is no part of an export (part-FIRST-LAST.parquet): move it elsewhere")
            yield Part(int(named[1]), int(named[2]), kind.table, path.parent.name.removeprefix("day="))


def unfinished(folder: Path) -> Iterator[Path]:
    """What a writer left that ended in the middle."""
    yield from folder.glob(f"*{UNFINISHED}")
    for kind in KINDS:
        yield from (folder / kind.table).glob(f"day=*/*{UNFINISHED}")


def read_manifest(folder: Path) -> Manifest | None:
    """What was exported; None where no export was begun. Raises `InvalidInput`."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_bytes())
        if found["format"] == _UNDIVIDED:
            place = int(found["position"])
            return Manifest(place, Mark((place,), str(found["event_id"])))
        if found["format"] != _FORMAT:
            raise InvalidInput(f"{path} has format {found['format']!r}, and this tiercel knows {_FORMAT}: upgrade it")
        return Manifest(int(found["events"]), Mark(tuple(map(int, found["position"])), str(found["event_id"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path} is no manifest of an export: restore it, or export to another folder") from error


def write_manifest(folder: Path, events: int, mark: Mark) -> None:
    """Say what was exported: the old manifest stands until the new one does. Raises `OSError`."""
    path = folder / MANIFEST
    new = path.with_name(path.name + UNFINISHED)
    said = {"format": _FORMAT, "events": events, "position": mark.position, "event_id": mark.event_id}
    new.write_text(json.dumps(said) + "\n", encoding="utf-8")
    to_disk(new)
    new.replace(path)
    to_disk(folder)


def to_disk(path: Path) -> None:
    """What was written to a file, or renamed in a folder, survives a loss of power. Raises `OSError`."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders, and has renamed durably
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tables() -> ModuleType:
    """The part of this package that needs pyarrow. Raises `MissingDependency`."""
    try:
        # an extra, for it is larger than everything else together
        import pyarrow  # noqa: F401, PLC0415

        from tiercel.adapters.parquet_log import tables as needing_pyarrow  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("pyarrow", "evaluate", "a log in Parquet") from error
    return needing_pyarrow
