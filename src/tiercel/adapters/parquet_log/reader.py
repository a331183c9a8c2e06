"""The events of an export, in the order of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tiercel.adapters.parquet_log.folder import MANIFEST, Part, parts, read_manifest, tables
from tiercel.adapters.parquet_log.rows import KINDS
from tiercel.domain.errors import InvalidInput
from tiercel.domain.events import Event

_Placed = tuple[int, Event]
_EVENT: Mapping[str, Callable[[Mapping[str, Any]], Event]] = {kind.table: kind.event for kind in KINDS}


def read_events(folder: Path) -> Iterator[Event]:
    """Everything that was exported to `folder`, as it was logged; days that were removed from it are left out.

    Holds what one writing held in memory. Raises `InvalidInput` for a folder that is no export, `MissingDependency`.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise InvalidInput(f"{folder} is no export of a log: there is no {MANIFEST} in it")
    # a part beyond the manifest is of a writer at work, or one that crashed
    finished = sorted(part for part in parts(folder) if part.last <= manifest.events)
    for _, together in groupby(finished, key=itemgetter(0)):
        of_parts = [_events(folder, part) for part in together]
        yield from (event for _, event in merge(*of_parts, key=itemgetter(0)))


def _events(folder: Path, part: Part) -> Iterator[_Placed]:
    event = _EVENT[part.table]
    for row in tables().read(part.path(folder), part.table):
        yield row["position"], event(row)
