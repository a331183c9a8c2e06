"""What is learned adds up: in any order, in any grouping, and what must not count twice does not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.happenings import SEGMENTS, at
from support.histories import events
from tiercel.adapters.codec import read_state_row, state_rows
from tiercel.adapters.memory_store import MemoryStore
from tiercel.core.statistics.buckets import DAY_S, FOREVER_S, LADDER, Bucket, climb, finest
from tiercel.core.statistics.fold import Deltas, fold
from tiercel.core.statistics.forget import forget_ratings
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.recent_outcomes import OutcomeSample, RecentOutcomes
from tiercel.core.statistics.recent_ratings import RatingEntry, RatingSample, RecentRatings
from tiercel.core.statistics.sums import RELATIVE_ERROR, Sums, total
from tiercel.domain.events import Event, Feedback


def logged(happened: Sequence[Event]) -> list[Event]:
    """The events as a store accepts them: each id once, revisions with what they revise."""
    return list(MemoryStore().append(happened, fold).accepted)


def merged(*parts: Deltas) -> Deltas:
    state = Deltas()
    state.merge(*parts)
    return state


HISTORIES = st.lists(events(), max_size=40).map(logged)
SEEDS = st.integers(0, 1 << 32).map(random.Random)


@given(HISTORIES, SEEDS)
def test_the_order_of_events_does_not_matter(history: list[Event], draw: random.Random) -> None:
    shuffled = draw.sample(history, len(history))
    assert fold(shuffled) == fold(history)


@given(HISTORIES, SEEDS)
def test_nor_who_saw_which_of_them_and_who_told_whom_first(history: list[Event], draw: random.Random) -> None:
    parts: list[list[Event]] = [[], [], []]
    for event in history:
        draw.choice(parts).append(event)
    a, b, c = (fold(part) for part in parts)
    whole = fold(history)
    assert merged(a, b, c) == merged(c, a, b) == whole
    assert merged(merged(a, b), c) == merged(a, merged(b, c)) == whole
    knowledge = Knowledge()
    for part in draw.sample([a, b, c], 3):
        knowledge.add(part)
    assert knowledge.export() == whole


@given(HISTORIES)
def test_merging_leaves_what_is_merged_as_it_was(history: list[Event]) -> None:
    a, b = fold(history[::2]), fold(history[1::2])
    state = merged(a)
    state.merge(b)
    state.merge(b)
    assert (a, b) == (fold(history[::2]), fold(history[1::2]))


@given(HISTORIES)
def test_the_newest_samples_do_not_mind_hearing_of_something_twice(history: list[Event]) -> None:
    once, twice = fold(history), merged(fold(history), fold(history))
    assert (twice.outcomes, twice.ratings, twice.standings) == (once.outcomes, once.ratings, once.standings)


@given(HISTORIES)
def test_what_is_written_down_is_read_back(history: list[Event]) -> None:
    state = fold(history)
    back = Deltas()
    for row in state_rows(state):
        read_state_row(row, back)
    assert back == state
    for sums in state.sums.values():
        assert Sums.from_row(sums.to_row()) == sums
    for outcomes in state.outcomes.values():
        assert RecentOutcomes.from_row(outcomes.to_row()) == outcomes
    for ratings in state.ratings.values():
        assert RecentRatings.from_row(ratings.to_row()) == ratings


@given(HISTORIES, st.sampled_from(SEGMENTS[:-1]), st.sampled_from([2, 3]), st.integers(0, 90))
def test_what_is_forgotten_was_never_learned(
    history: list[Event], segment: tuple[str, ...], depth: int, days: int
) -> None:
    _, workflow, stage = segment
    prefix = segment[:depth]
    rest = [e for e in history if not (isinstance(e, Feedback) and e.segment[:depth] == prefix)]
    now_s = at(days * DAY_S).timestamp()
    state = merged(fold(history).climbed(now_s))
    forget_ratings(state, workflow, stage if depth == 3 else None)
    assert state == fold(rest).climbed(now_s)


class FewRatings(RecentRatings):
    """The same with limits that a test reaches."""

    PER_SOURCE = 3
    LIMIT = 7


class FewOutcomes(RecentOutcomes):
    LIMIT = 4


ENTRIES = st.lists(
    st.tuples(
        st.builds(RatingSample, st.integers(0, 9), st.sampled_from("abcd"), st.integers(0, 2)), st.sampled_from("xyzw")
    ),
    max_size=30,
)
SAMPLES = st.lists(
    st.builds(OutcomeSample, st.integers(0, 9), st.sampled_from("abcd"), st.booleans(), st.integers(0, 2)), max_size=20
)


def newest_by_definition(entries: Sequence[RatingEntry]) -> list[RatingEntry]:
    """Of each source and subject the newest; of each source the newest few; of those the newest few."""
    latest: dict[tuple[str, str], RatingSample] = {}
    for sample, source in entries:
        latest[source, sample.subject] = max(sample, latest.get((source, sample.subject), sample))
    sources = {source for source, _ in latest}
    kept = [
        (sample, source)
        for source in sources
        for sample in sorted(s for (name, _), s in latest.items() if name == source)[-FewRatings.PER_SOURCE :]
    ]
    return sorted(kept)[-FewRatings.LIMIT :]


@given(ENTRIES, SEEDS)
def test_the_newest_ratings_are_the_newest_however_they_are_put_together(
    entries: list[RatingEntry], draw: random.Random
) -> None:
    expected = newest_by_definition(entries)
    assert list(FewRatings.of(entries).entries) == expected
    singly = FewRatings()
    for sample, source in draw.sample(entries, len(entries)):
        singly.add(source, sample)
    assert list(singly.entries) == expected
    parts: list[list[RatingEntry]] = [[], [], [], []]
    for entry in entries:
        draw.choice(parts).append(entry)
    first, *others = (FewRatings.of(part) for part in parts)
    grouped = FewRatings.of(first.entries)
    grouped.merge(*others)
    for other in others:
        first.merge(other)
    assert list(grouped.entries) == list(first.entries) == expected
    assert len(first) == len(expected)


@given(ENTRIES)
def test_many_ratings_at_once_are_the_same_as_one_by_one(entries: list[RatingEntry]) -> None:
    many = [(RatingSample(sample.at_us, f"{sample.subject}{n}", 1), s) for n in range(20) for sample, s in entries]
    together, singly = RecentRatings(), RecentRatings()
    together.merge(RecentRatings.of(many))
    for sample, source in many:
        singly.add(source, sample)
    assert together == singly


@given(SAMPLES, SEEDS)
def test_the_newest_outcomes_are_the_newest_however_they_are_put_together(
    samples: list[OutcomeSample], draw: random.Random
) -> None:
    expected = sorted(set(samples))[-FewOutcomes.LIMIT :]
    singly = FewOutcomes()
    for sample in draw.sample(samples, len(samples)):
        singly.add(sample)
    cut = draw.randrange(len(samples) + 1)
    grouped = FewOutcomes.of(samples[:cut])
    grouped.merge(FewOutcomes.of(samples[cut:]))
    assert list(singly) == list(grouped) == list(FewOutcomes.of(samples)) == expected


@given(st.lists(st.floats(1e-3, 86_400_000.0), min_size=1, max_size=200), st.floats(0.0, 1.0), st.integers(1, 5))
def test_a_quantile_of_merged_sketches_is_within_the_stated_error(
    latencies_ms: list[float], q: float, parts: int
) -> None:
    sums = [Sums() for _ in range(parts)]
    for number, latency_ms in enumerate(latencies_ms):
        sums[number % parts].add_call(
            success=True,
            latency_ms=latency_ms,
            prompt_tokens=None,
            completion_tokens=None,
            cost_usd=None,
            match_score=None,
        )
    estimate = total(sums).latency_quantile_ms(q)
    exact = sorted(latencies_ms)[math.floor(q * (len(latencies_ms) - 1))]
    # a nanosecond for the rounding of the least and the greatest
    assert estimate == pytest.approx(exact, rel=RELATIVE_ERROR * (1 + 1e-9), abs=1e-6)


BUCKETS = st.integers(0, 3_000_000_000 // 300).map(finest)
TIMES = st.integers(0, 3_000_000_000)


@given(BUCKETS, TIMES, TIMES)
def test_climbing_in_steps_ends_where_climbing_at_once_does(bucket: Bucket, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert climb(climb(bucket, earlier), later) == climb(bucket, later)


@given(BUCKETS, TIMES)
def test_a_bucket_climbs_into_one_that_holds_it_and_is_young_enough(bucket: Bucket, now_s: int) -> None:
    width_s, start_s = climb(bucket, now_s)
    assert start_s <= bucket.start_s
    assert bucket.start_s + bucket.width_s <= start_s + width_s
    keep_s = {rung.width_s: rung.keep_s for rung in LADDER}[width_s]
    assert now_s - (start_s + width_s) < keep_s


@given(HISTORIES, st.integers(0, 200), st.integers(0, 200))
def test_climbing_keeps_every_total(history: list[Event], one: int, other: int) -> None:
    state = fold(history)
    for days in sorted((one, other)):
        state = state.climbed(at(days * DAY_S).timestamp())
    for key in {key for key, _ in fold(history).sums}:
        before = total(sums for (k, _), sums in fold(history).sums.items() if k == key)
        assert total(sums for (k, _), sums in state.sums.items() if k == key) == before


def test_the_number_of_buckets_is_bounded() -> None:
    days, now_s = 120, 120 * DAY_S
    held = {climb(finest(number), now_s) for number in range(days * DAY_S // 300)}
    assert len(held) < 270
    assert max(width_s for width_s, _ in held) == FOREVER_S
