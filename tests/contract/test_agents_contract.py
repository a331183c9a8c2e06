"""What every store does for agents: who is there, and what they tell one another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from support.happenings import at, decision, signal
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.domain.errors import StoreError
from tiercel.domain.presence import Beat, BeatStatus
from tiercel.ports import Store

TTL_S = 60.0
DAY_S = 86_400


def beat(agent_id: str, seconds: float = 0.0, **said: object) -> Beat:
    plain = Beat(agent_id=agent_id, status=BeatStatus.RUNNING, at=at(seconds), progress=0.25)
    return replace(plain, **said)  # type: ignore[arg-type]


def heard(store: Store, now: datetime) -> dict[str, Beat]:
    return {said.agent_id: said for said in store.presence.beats(now)}


def test_what_an_agent_said_is_read_back_exactly(store: Store) -> None:
    strange = "a:é\n*{x}"
    said = [
        beat("gpu_1", metadata={"ü": [1, {"x": None}], "host": "n1"}),
        beat(strange, progress=None, status=BeatStatus.FAILED),
    ]
    assert list(store.presence.beats(at(0))) == []
    store.presence.beat(said, TTL_S)
    assert heard(store, at(1)) == {one.agent_id: one for one in said}
    assert [one.agent_id for one in store.presence.beats(at(1))] == sorted(["gpu_1", strange])


def test_the_newest_counts_in_whatever_order_they_arrive(store: Store) -> None:
    store.presence.beat([beat("gpu_1", 10, progress=0.5)], TTL_S)
    store.presence.beat([beat("gpu_1", 5, progress=0.4), beat("gpu_2", 5)], TTL_S)
    assert heard(store, at(11)) == {"gpu_1": beat("gpu_1", 10, progress=0.5), "gpu_2": beat("gpu_2", 5)}
    store.presence.beat([beat("gpu_1", 20, progress=0.6)], TTL_S)
    assert heard(store, at(21))["gpu_1"].progress == 0.6


def test_what_was_said_is_kept_for_its_time_and_no_longer(store: Store) -> None:
    store.presence.beat([beat("gpu_1", 0), beat("gpu_2", 30)], TTL_S)
    assert set(heard(store, at(59.999))) == {"gpu_1", "gpu_2"}
    assert set(heard(store, at(60))) == {"gpu_2"}
    store.presence.beat([beat("gpu_2", 80)], TTL_S)
    assert set(heard(store, at(81))) == {"gpu_2"}


def test_nothing_said_is_nothing(store: Store) -> None:
    store.presence.beat([], TTL_S)
    assert list(store.presence.beats(at(0))) == []


def test_many_agents_are_one_step(store: Store) -> None:
    said = [beat(f"gpu_{number}", number / 1_000) for number in range(600)]
    store.presence.beat(said, TTL_S)
    assert heard(store, at(1)) == {one.agent_id: one for one in said}


def test_beats_are_no_events(store: Store) -> None:
    store.presence.beat([beat("gpu_1")], TTL_S)
    assert store.load() == (Deltas(), store.oldest())


SIGNALS = [
    signal(1, seconds=5, to_agent="gpu_2"),
    signal(2, seconds=3),
    signal(3, seconds=4, to_agent="gpu_3"),
    signal(4, seconds=2, to_agent="gpu_2"),
    signal(5, seconds=1),
]


def told(store: Store, agent_id: str, after: str = "", limit: int = 100) -> list[str]:
    return [one.id for one in store.signals(agent_id, after, limit)]


def test_signals_come_in_the_order_of_the_log_to_whom_they_are_meant_for(store: Store) -> None:
    for one in SIGNALS:
        store.append([one, decision(int(one.id[-1]))], fold)
    assert list(store.signals("gpu_2", "", 100)) == [SIGNALS[0], SIGNALS[1], SIGNALS[3], SIGNALS[4]]
    assert told(store, "gpu_3") == ["signal_2", "signal_3", "signal_5"]
    assert told(store, "nobody") == ["signal_2", "signal_5"]
    assert told(store, "") == ["signal_2", "signal_5"]


def test_signals_are_read_on_after_the_last_that_was_read(store: Store) -> None:
    store.append(SIGNALS, fold)
    assert told(store, "gpu_2", "signal_2") == ["signal_4", "signal_5"]
    assert told(store, "gpu_2", "signal_3", 1) == ["signal_4"], "a signal to another marks a place too"
    assert told(store, "gpu_2", "signal_5") == []
    assert told(store, "gpu_2", "signal_unknown", 2) == ["signal_1", "signal_2"]
    assert (told(store, "gpu_2", "", 0), told(store, "gpu_2", "", -1)) == ([], [])


def test_signals_teach_nothing_and_are_trimmed_with_the_log(store: Store) -> None:
    store.append([*SIGNALS, signal(6, seconds=2 * DAY_S)], fold)
    assert store.load()[0] == Deltas()
    assert store.trim(at(DAY_S)) == len(SIGNALS)
    assert told(store, "gpu_2", "signal_1") == ["signal_6"], "what marked the place is gone"


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    if store.url.startswith("memory"):
        return  # memory has nothing to close
    with pytest.raises(StoreError):
        store.presence.beat([beat("gpu_1")], TTL_S)
    with pytest.raises(StoreError):
        store.presence.beats(at(0))
