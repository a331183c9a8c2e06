"""Whatever is done to them, every store answers like the one in memory, and the state is what was taught.

Events repeat, arrive out of order and revise one another; days are trimmed, buckets compacted, ratings cleared, the
state rebuilt and the store reopened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from benchmarks.redis_server import redis_server
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.happenings import SEGMENTS, at
from support.histories import events
from support.redis_cluster import redis_cluster
from tiercel.adapters.memory_store import MemoryStore
from tiercel.adapters.redis_store import RedisStore
from tiercel.adapters.sqlite_store import SqliteStore
from tiercel.core.logbook import event_time
from tiercel.core.statistics.fold import fold
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.domain.errors import PositionLost
from tiercel.domain.events import Event, Feedback
from tiercel.ports import START, Appended, Position, Store

DAY_S = 86_400


class Stores(RuleBasedStateMachine):
    """The same done to both; the store is open twice, as it is where two processes share it."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryStore()
        self.stores: list[Store] = []
        self.learn_every = 0
        self.follower = Knowledge()
        self.position: Position = START
        self.compacted_at_s = 0.0
        self.day = 0
        # what was accepted and not cleared, and of the ratings those that no other took the place of
        self.accepted: list[Event] = []
        self.standing: dict[object, Feedback] = {}

    @initialize(learn_every=st.sampled_from([1, 5, 20, 1_000]))
    def begin(self, learn_every: int) -> None:
        self.learn_every = learn_every
        self.stores = [self.opened(), self.opened()]

    def opened(self) -> Store:
        raise NotImplementedError

    @rule(which=st.integers(0, 1), batch=st.lists(events(), max_size=12))
    def append(self, which: int, batch: Sequence[Event]) -> None:
        appended = self.stores[which].append(batch, fold)
        self.compare_appended(appended, self.memory.append(batch, fold))
        self.accepted += appended.accepted
        for event in appended.accepted:
            if isinstance(event, Feedback):
                who = (event.decision_id, event.source) if event.decision_id else event.id
                held = self.standing.get(who)
                if held is None or held.recorded_at < event.recorded_at:
                    self.standing[who] = event

    @rule(which=st.integers(0, 1), batch=st.lists(events(), min_size=1, max_size=5))
    def send_twice(self, which: int, batch: Sequence[Event]) -> None:
        """As a caller does that never heard whether the first attempt worked."""
        self.append(which, batch)
        self.append(1 - which, batch)

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        self.day += days

    @rule()
    def trim(self) -> None:
        before = at((self.day + 0.7) * DAY_S)
        assert self.stores[0].trim(before) == self.memory.trim(before)
        # what is no longer in the log cannot be revised any more, nor repeated
        self.standing = {
            object() if rating.recorded_at < at(self.day * DAY_S) else who: rating
            for who, rating in self.standing.items()
        }

    @rule(days_later=st.integers(0, 60))
    def compact(self, days_later: int) -> None:
        self.compacted_at_s = max(self.compacted_at_s, at((self.day + days_later) * DAY_S).timestamp())
        for store in (self.stores[1], self.memory):
            store.compact(datetime.fromtimestamp(self.compacted_at_s, UTC))

    @rule()
    def rebuild(self) -> None:
        self.stores[0].rebuild(fold)
        self.memory.rebuild(fold)

    @rule(segment=st.sampled_from(SEGMENTS[:-1]), whole=st.booleans())
    def clear(self, segment: tuple[str, ...], *, whole: bool) -> None:
        _, workflow, stage = segment
        scope = None if whole else stage
        cleared = self.stores[1].clear_feedback(workflow, scope, fold)
        assert cleared == self.memory.clear_feedback(workflow, scope, fold)
        prefix = segment[:2] if whole else segment
        self.accepted = [e for e in self.accepted if not (isinstance(e, Feedback) and _within(e, prefix))]
        self.standing = {who: rating for who, rating in self.standing.items() if not _within(rating, prefix)}

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self.opened()

    @rule(limit=st.integers(1, 20))
    def follow(self, limit: int) -> None:
        """As another process does that keeps in step."""
        self.read_on(limit)

    def read_on(self, limit: int) -> None:
        try:
            expected = self.memory.events_after(self.position, limit)
        except PositionLost:
            with pytest.raises(PositionLost):
                self.stores[0].events_after(self.position, limit)
            state, self.position = self.stores[0].load()
            self.follower.replace(state)
        else:
            found, self.position = self.stores[0].events_after(self.position, limit)
            assert (found, self.position) == expected
            self.follower.add(fold(found))

    @rule()
    def ask(self) -> None:
        for _, workflow, stage in SEGMENTS[:-1]:
            assert self.stores[0].rated_tiers(workflow) == self.memory.rated_tiers(workflow)
            for tier in (None, "cheap"):
                expected = self.memory.feedback_history(workflow, stage, tier, 5)
                assert self.stores[0].feedback_history(workflow, stage, tier, 5) == expected
        for number in range(6):
            assert self.stores[0].decision(f"dec_{number}") == self.memory.decision(f"dec_{number}")
            completion = f"cmpl_{number}"
            assert self.stores[0].decision_of_completion(completion) == self.memory.decision_of_completion(completion)
        self.compare_newest(self.stores[0].recent_decisions(4), self.memory.recent_decisions(4))
        self.compare_newest(self.stores[0].recent_alerts(4), self.memory.recent_alerts(4))
        self.compare_newest(self.stores[0].recent_changes(4), self.memory.recent_changes(4))

    def compare_appended(self, appended: Appended, expected: Appended) -> None:
        assert appended == expected

    def compare_newest(self, newest: Sequence[Event], expected: Sequence[Event]) -> None:
        assert newest == expected

    def compare_positions(self, position: Position, expected: Position) -> None:
        assert position == expected

    @invariant()
    def the_state_is_what_was_taught(self) -> None:
        expected, end = self.memory.load()
        for store in self.stores:
            state, position = store.load()
            assert state == expected
            self.compare_positions(position, end)
        assert self.memory.load()[0] == fold(self.accepted).climbed(self.compacted_at_s)

    @invariant()
    def of_each_source_one_rating_counts(self) -> None:
        calls = [event for event in self.accepted if not isinstance(event, Feedback)]
        counted = [replace(rating, replaces=None) for rating in self.standing.values()]
        assert self.memory.load()[0].sums == fold([*calls, *counted]).climbed(self.compacted_at_s).sums

    def teardown(self) -> None:
        try:
            if self.stores:
                self.ask()
                self.a_rebuilt_state_is_the_same()
                self.a_follower_ends_where_the_state_is()
        finally:
            for store in self.stores:
                store.close()

    def a_rebuilt_state_is_the_same(self) -> None:
        before, _ = self.stores[0].load()
        self.rebuild()
        assert self.stores[0].load()[0] == before

    def a_follower_ends_where_the_state_is(self) -> None:
        state, end = self.stores[0].load()
        while self.position != end:
            self.read_on(1_000)
        assert self.follower.export().climbed(self.compacted_at_s) == state


def _within(rating: Feedback, prefix: tuple[str, ...]) -> bool:
    return rating.segment[: len(prefix)] == prefix


class InAFile(Stores):
    """The store in a SQLite file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()

    def opened(self) -> Store:
        return SqliteStore(Path(self.folder.name) / "log.db", learn_every=self.learn_every)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.folder.cleanup()


class InRedis(Stores):
    """The store in a Redis server, each example's under a name of its own."""

    url = ""
    names = count()

    def __init__(self) -> None:
        super().__init__()
        self.name = next(self.names)

    def opened(self) -> Store:
        return RedisStore(f"{self.url}?name={self.name}", learn_every=self.learn_every)


class OnACluster(InRedis):
    """The store divided among the masters of a Cluster: of what concerns two segments, no order is kept."""

    def opened(self) -> Store:
        return RedisStore(f"{self.url}?name={self.name}&partitions=4", learn_every=self.learn_every)

    def read_on(self, limit: int) -> None:
        try:
            found, self.position = self.stores[0].events_after(self.position, limit)
        except PositionLost:
            state, self.position = self.stores[0].load()
            self.follower.replace(state)
        else:
            assert len(found) <= limit
            self.follower.add(fold(found))

    def compare_appended(self, appended: Appended, expected: Appended) -> None:
        assert (appended.accepted, appended.deltas) == (expected.accepted, expected.deltas)
        assert sorted(appended.conflicts) == sorted(expected.conflicts)

    def compare_newest(self, newest: Sequence[Event], expected: Sequence[Event]) -> None:
        assert [event_time(event) for event in newest] == [event_time(event) for event in expected]

    def compare_positions(self, position: Position, expected: Position) -> None:
        """Of another log."""


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What `InRedis` and `OnACluster` speak to."""
    with (
        redis_server(tmp_path_factory.mktemp("redis")) as server,
        redis_cluster(tmp_path_factory.mktemp("cluster")) as cluster,
    ):
        InRedis.url, OnACluster.url = server.url, cluster.url
        yield


TestInAFile = InAFile.TestCase
TestInRedis = InRedis.TestCase
TestOnACluster = OnACluster.TestCase
TestInAFile.settings = TestInRedis.settings = settings(stateful_step_count=25)
TestOnACluster.settings = settings(stateful_step_count=20, max_examples=25)
