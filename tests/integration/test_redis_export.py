"""A log that many processes share is exported as any other is."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.redis_server import redis_server

from support.happenings import at, decision, feedback, outcome
from tiercel.adapters.parquet_log import read_events, writing
from tiercel.adapters.redis_store import RedisStore
from tiercel.core.statistics.fold import fold
from tiercel.domain.errors import InvalidInput, PositionLost
from tiercel.ports import START, Store
from tiercel.services.export import Exported, export_log

DAY_S = 86_400


def exported(store: Store, folder: Path, *, again: bool = False) -> Exported:
    with writing(folder) as archive:
        return export_log(store, archive, again=again)


def test_a_shared_log(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    with redis_server(tmp_path) as server:
        store, other = RedisStore(f"{server.url}?name=one"), RedisStore(f"{server.url}?name=other")
        store.append([decision(1), outcome(1), feedback("f1", decision_id="dec_1")], fold)
        assert exported(store, folder) == Exported(3, (0,), (3,))
        store.append([decision(n, seconds=n * DAY_S) for n in (2, 3)], fold)
        assert exported(store, folder) == Exported(2, (3,), (5,))
        assert list(read_events(folder)) == list(store.events_after(START, 9)[0])
        other.append([decision(1)], fold)
        with pytest.raises(InvalidInput, match="this is another log"):
            exported(other, folder, again=True)
        store.append([decision(4, seconds=DAY_S), decision(5, seconds=4 * DAY_S)], fold)
        store.trim(at(3 * DAY_S))
        with pytest.raises(PositionLost, match="--again"):
            exported(store, folder)
        assert exported(store, folder, again=True) == Exported(1, (6,), (7,), missing_from=(5,))
        for opened in (store, other):
            opened.close()
    assert [event.id for event in read_events(folder)][-2:] == ["dec_3", "dec_5"]
