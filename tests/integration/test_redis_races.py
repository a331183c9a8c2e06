"""What others do between our reading and our writing: the outcome is that of one after the other.

Memory, where nothing comes in between, says what that has to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from benchmarks.redis_server import RedisServer, redis_server

from support.happenings import REVIEW, SEGMENTS, alert, at, decision, feedback, outcome, standing
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.redis_store.log import ATTEMPTS
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.domain.errors import StoreUnavailable
from tiercel.domain.events import Event
from tiercel.ports import Span, Store

DAY_S = 86_400
NAMES = count()
Change = Callable[[Store], object]

PAST: list[Event] = [
    *(outcome(n, seconds=n * 9_000, segment=SEGMENTS[n % 3], completion_id=f"cmpl_{n}") for n in range(20)),
    *(
        feedback(f"old{n}", n / 20, seconds=n * 9_000, segment=SEGMENTS[n % 3], decision_id=f"dec_{n}", source="user:1")
        for n in range(20)
    ),
]
GONE: list[Event] = [outcome(n, seconds=n, segment=SEGMENTS[n % 3]) for n in range(100, 110)]
"""What a log taught that is gone."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


def act_before(
    store: RedisStore, patch: pytest.MonkeyPatch, step: str, act: Callable[[], object], nth: int = 1
) -> None:
    """Others act right before the server is spoken to for the n-th time from now on, in that way."""
    speak, calls = getattr(store._server, step), count(1)

    def interrupted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as what it stands for
        if next(calls) == nth:
            act()
        return speak(*arguments, **options)

    patch.setattr(store._server, step, interrupted)


def rate(feedback_id: str, quality: float, *, about: int, seconds: float, source: str = "user:1") -> Change:
    rating = feedback(
        feedback_id, quality, seconds=seconds, segment=SEGMENTS[about % 3], decision_id=f"dec_{about}", source=source
    )
    return lambda store: store.append([rating], fold)


OTHERS: dict[str, Change] = {
    "the same id": lambda store: store.append([outcome(50, segment=REVIEW), feedback("new", 0.5)], fold),
    "the same id for something else": lambda store: store.append([feedback("new", 0.1)], fold),
    "an older rating of the rater": rate("theirs", 0.1, about=3, seconds=4_000),
    "a newer rating of the rater": rate("theirs", 0.1, about=3, seconds=5 * DAY_S),
    "a first rating of the rater": rate("theirs", 0.2, about=60, seconds=4_000, source="user:2"),
    "a rating of a day that is over": rate("theirs", 0.3, about=4, seconds=40_000, source="user:9"),
    "another rating of the stage": lambda store: store.append([feedback("more", segment=SEGMENTS[0])], fold),
    "something else": lambda store: store.append([decision(70), outcome(70, seconds=9)], fold),
    "trimming": lambda store: store.trim(at(DAY_S + 9)),
    "clearing a stage": lambda store: store.clear_feedback("a", "b", fold),
    "clearing a workflow": lambda store: store.clear_feedback("a", None, fold),
    "rebuilding": lambda store: store.rebuild(fold),
    "compacting": lambda store: store.compact(at(9 * DAY_S)),
    "restoring": lambda store: store.restore(fold(GONE)),
}


def ours(store: Store) -> object:
    new: list[Event] = [
        outcome(50, segment=REVIEW),
        feedback("new", 0.5),
        feedback("revised", 0.9, seconds=3 * DAY_S, segment=SEGMENTS[0], decision_id="dec_3", source="user:1"),
        feedback("first", 0.8, seconds=3 * DAY_S, segment=SEGMENTS[0], decision_id="dec_60", source="user:2"),
    ]
    appended = store.append(new, fold)
    return appended.accepted, appended.conflicts, appended.spans


OURS: dict[str, Callable[[Store], object]] = {
    "appending": ours,
    "trimming": lambda store: store.trim(at(DAY_S)),
    "clearing": lambda store: store.clear_feedback("a", "b", fold),
    "rebuilding": lambda store: store.rebuild(fold),
    "compacting": lambda store: store.compact(at(9 * DAY_S)),
    "restoring": lambda store: store.restore(fold(GONE)),
}


def answers(store: Store) -> list[object]:
    """All that can be asked."""
    found: list[object] = [store.load()[0], store.recent_decisions(100), store.recent_alerts(100)]
    for _, workflow, stage in SEGMENTS[:-1]:
        found.append(store.rated_tiers(workflow))
        found += [store.feedback_history(workflow, stage, tier, 100) for tier in (None, "cheap")]
    found += [store.decision(f"dec_{n}") for n in range(80)]
    return [*found, *(store.decision_of_completion(f"cmpl_{n}") for n in range(20))]


@pytest.mark.parametrize("what", OURS)
@pytest.mark.parametrize("meanwhile", OTHERS)
@pytest.mark.parametrize("learn_every", [1, 10_000])
def test_what_others_do_in_between_was_done_before(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, what: str, meanwhile: str, learn_every: int
) -> None:
    url = f"{server.url}?name={next(NAMES)}"
    memory = MemoryStore()
    with closing(RedisStore(url)) as store, closing(RedisStore(url, learn_every=learn_every)) as other:
        for each in (store, memory):
            each.append(PAST, fold)
        with monkeypatch.context() as patch:
            act_before(store, patch, "try_commit", lambda: OTHERS[meanwhile](other))
            said = OURS[what](store)
        OTHERS[meanwhile](memory)
        assert said == OURS[what](memory)
        assert answers(store) == answers(memory)
        store.rebuild(fold)
        assert answers(store) == answers(memory)


@pytest.mark.parametrize("meanwhile", OTHERS)
@pytest.mark.parametrize("learn_every", [1, 10_000])
def test_what_others_do_while_the_state_is_brought_up_to_date_is_learned_too(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, meanwhile: str, learn_every: int
) -> None:
    url = f"{server.url}?name={next(NAMES)}"
    memory = MemoryStore()
    with closing(RedisStore(url, learn_every=1)) as store, closing(RedisStore(url, learn_every=learn_every)) as other:
        for each in (store, memory):
            each.append(PAST, fold)
        with monkeypatch.context() as patch:
            act_before(store, patch, "try_commit", lambda: OTHERS[meanwhile](other), nth=2)  # the first logs
            for each in (store, memory):
                each.append([outcome(90), outcome(91)], fold)
        OTHERS[meanwhile](memory)
        assert answers(store) == answers(memory)
        store.rebuild(fold)
        assert answers(store) == answers(memory)


@pytest.mark.parametrize("meanwhile", ["trimming", "clearing a stage", "compacting"])
def test_what_is_loaded_is_of_one_moment(server: RedisServer, monkeypatch: pytest.MonkeyPatch, meanwhile: str) -> None:
    url = f"{server.url}?name={next(NAMES)}"
    memory = MemoryStore()
    with closing(RedisStore(url)) as store, closing(RedisStore(url)) as other:
        for each in (store, memory):
            each.append(PAST, fold)
        act_before(store, monkeypatch, "ask", lambda: OTHERS[meanwhile](other), nth=2)  # the first reads the state
        loaded = store.load()
        OTHERS[meanwhile](memory)
        assert loaded == memory.load()


def test_an_event_of_a_day_that_was_just_emptied_is_not_forgotten(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{server.url}?name={next(NAMES)}"
    with closing(RedisStore(url)) as store, closing(RedisStore(url)) as other:
        store.append([outcome(1)], fold)
        # the first removes the events, the second says that the day has none
        act_before(store, monkeypatch, "try_commit", lambda: other.append([outcome(2)], fold), nth=2)
        assert store.trim(at(DAY_S)) == 2


def test_what_is_trimmed_leaves_nothing_but_what_it_taught(server: RedisServer) -> None:
    name = f"{next(NAMES)}"
    server.client.flushall()  # the ratings that other tools see carry no store's name
    with closing(RedisStore(f"{server.url}?name={name}")) as store:
        store.append([*PAST, decision(1), alert(1), standing(1)], fold)
        rate("revised", 0.4, about=3, seconds=DAY_S)(store)
        before = store.load()
        store.trim(at(9 * DAY_S))
        prefix = f"tiercel:{{{name}}}:"
        left = {key.decode().removeprefix(prefix) for key in server.client.keys(f"{prefix}*")}
        assert left == {"progress", "log", "state:learned", "state:trimmed"}
        assert server.client.xlen(f"{prefix}log") == 0
        assert server.client.keys("feedback:*") == []
        assert store.load() == before


def test_who_never_gets_on_is_told_to_try_later(server: RedisServer) -> None:
    url = f"{server.url}?name={next(NAMES)}"
    tried: list[int] = []
    with closing(RedisStore(url)) as store, closing(RedisStore(url)) as other:

        def others_act_each_time(events: Sequence[Event]) -> Deltas:
            tried.append(len(events))
            other.compact(at(len(tried)))
            return fold(events)

        with pytest.raises(StoreUnavailable, match=f"{ATTEMPTS} times"):
            store.append([outcome(1)], others_act_each_time)
        assert len(tried) == ATTEMPTS
        assert store.load()[1] == (0,)


def test_a_server_that_forgot_the_script_is_told_it_again(server: RedisServer) -> None:
    with closing(RedisStore(f"{server.url}?name={next(NAMES)}")) as store:
        for number in range(3):
            server.client.script_flush()
            assert store.append([outcome(number)], fold).spans == (Span(0, number, number + 1),)


def test_a_batch_of_thousands_is_one_step(server: RedisServer) -> None:
    batch: list[Event] = [
        event
        for n in range(2_500)
        for event in (outcome(n), feedback(f"f{n}", 0.5, decision_id=f"dec_{n}", source="user:1"))
    ]
    with closing(RedisStore(f"{server.url}?name={next(NAMES)}")) as store:
        assert len(store.append(batch, fold).accepted) == 5_000
        assert store.append(batch, fold).accepted == ()
        before, position = store.load()
        assert (before, position) == (fold(batch).climbed(0.0), (5_000,))
        assert store.clear_feedback("review", None, fold) == 2_500
        assert store.trim(at(DAY_S)) == 2_500
        assert server.client.hlen(f"tiercel:{{{next(NAMES) - 1}}}:ids") == 0
