"""However it was exported, and wherever the exporter ended: a folder gives back what the log holds, in its order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.happenings import decision, feedback, outcome
from support.histories import events
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.parquet_log import ParquetArchive, folder, read_events, writer, writing
from tiercel.core.statistics.fold import fold
from tiercel.domain.events import Event
from tiercel.ports import START
from tiercel.services.export import export_log

few_days = st.integers(0, 3 * 86_400).map(float)
batches = st.lists(st.tuples(st.lists(events(seconds=few_days), max_size=12), st.booleans()), max_size=5)


def log(store: MemoryStore) -> list[Event]:
    return list(store.events_after(START, 1_000)[0])


@given(batches, st.integers(1, 9))
@settings(max_examples=50)
def test_what_was_exported_bit_by_bit_is_what_the_log_holds(
    batches: Sequence[tuple[list[Event], bool]], at_once: int
) -> None:
    store = MemoryStore()
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        for module in (folder, writer):  # no power is lost here, and waiting for the disk is most of the time
            patched.setattr(module, "to_disk", lambda _: None)
        for batch, exported in batches:
            store.append(batch, fold)
            if exported:
                export_log(store, ParquetArchive(Path(name), events_at_once=at_once))
        export_log(store, ParquetArchive(Path(name)))
        assert list(read_events(Path(name))) == log(store)


class CrashError(Exception):
    """The machine stops here."""


def dying(step: int, steps: count[int], real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, which ends the exporter when all that may end it have been called `step` times."""

    def called(*args: Any) -> Any:  # noqa: ANN401 - of whatever is replaced
        if next(steps) == step:
            raise CrashError
        return real(*args)

    return called


def export_until(step: int, store: MemoryStore, path: Path) -> bool:
    """Export; True if it ended before its end."""
    steps = count()
    with pytest.MonkeyPatch.context() as patched:
        for place, name in ((writer, "to_disk"), (folder, "to_disk"), (Path, "replace")):
            patched.setattr(place, name, dying(step, steps, getattr(place, name)))
        try:
            with writing(path) as archive:
                export_log(store, archive)
        except CrashError:
            return True
    return False


def test_an_exporter_that_ends_anywhere_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    for step in count():
        store, path = MemoryStore(), tmp_path / str(step)
        store.append([decision(1), outcome(1)], fold)
        assert not export_until(-1, store, path)
        before = log(store)
        store.append([feedback("f1", decision_id="dec_1"), decision(2), decision(3, seconds=86_400), outcome(2)], fold)
        crashed = export_until(step, store, path)
        assert list(read_events(path)) in (before, log(store))
        # what is logged meanwhile moves the ends of the parts that were begun
        store.append([outcome(3)], fold)
        assert not export_until(-1, store, path)
        assert list(read_events(path)) == log(store)
        assert not list(folder.unfinished(path))
        if not crashed:
            break
    assert step > 15
