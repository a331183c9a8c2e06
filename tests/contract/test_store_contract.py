"""What every store does. Memory is the model; each test runs over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from support.happenings import REVIEW, SEGMENTS, alert, at, decision, feedback, outcome, signal, standing
from tiercel.adapters.redis_store.keys import home
from tiercel.core.logbook import event_time
from tiercel.core.statistics.buckets import FINEST_US, finest
from tiercel.core.statistics.fold import OVERALL, Deltas, fold, micros, model_key, segment_tier_key
from tiercel.domain.errors import InvalidInput, PositionLost
from tiercel.domain.events import Event, Feedback, Rating
from tiercel.domain.request import agent_segment, stage_segment
from tiercel.ports import START, Store

DAY_S = 86_400


def log(store: Store) -> list[Event]:
    """Every event of a log that has lost none."""
    return list(store.events_after(START, 10_000)[0])


def as_logged(store: Store, events: Sequence[Event]) -> list[Event]:
    """Events in the order in which the log of a store gives them, of which only that of each partition is fixed."""
    partitions = len(store.oldest())
    return sorted(events, key=lambda event: home(event, partitions))


def history(store: Store, tier: str | None = None, limit: int = 100) -> list[str]:
    """The ids of the stage's ratings, newest first."""
    return [rating.id for rating in store.feedback_history("review", "analysis", tier, limit)]


def learned(store: Store) -> Deltas:
    return store.load()[0]


def taught(events: Sequence[Event]) -> Deltas:
    """What events teach, in the form in which `load` returns it."""
    return fold(events).climbed(0.0)


EVERYTHING: tuple[Event, ...] = (
    decision(1),
    outcome(1, seconds=1, completion_id="cmpl_1"),
    feedback(
        "feedback_1", 0.9, seconds=2, decision_id="dec_1", source="user:1", metadata={"ü": [1, {"x": None}], "y": 0.1}
    ),
    standing(1, seconds=3),
    alert(1, seconds=4),
    alert(1, seconds=4, resolved_s=5),
    outcome(2, seconds=6.000001, success=False, agent_id="agent_é"),
    feedback("feedback_2", 0.0, seconds=7, segment=agent_segment("a"), model=""),
    signal(1, seconds=8, to_agent="agent_é"),
)


def test_what_is_appended_is_accepted_in_order_and_read_back_exactly(store: Store) -> None:
    appended = store.append(EVERYTHING, fold)
    assert appended.accepted == EVERYTHING
    assert appended.deltas == fold(EVERYTHING)
    assert sum(last - before for _, before, last in appended.spans) == len(EVERYTHING)
    assert log(store) == as_logged(store, EVERYTHING)


def test_nothing_appended_is_nothing(store: Store) -> None:
    appended = store.append((), fold)
    assert (appended.accepted, appended.spans) == ((), ())
    assert store.load() == (Deltas(), store.oldest())
    assert store.events_after(START, 10) == ([], store.oldest())


def test_times_of_another_zone_are_the_same_times(store: Store) -> None:
    east = at(0.123456).astimezone(timezone(timedelta(hours=5, minutes=30)))
    store.append([replace(feedback("feedback_1"), recorded_at=east)], fold)
    (logged,) = log(store)
    assert isinstance(logged, Feedback)
    assert logged.recorded_at == east


def test_batches_follow_one_another_without_a_gap(store: Store) -> None:
    spans: list[tuple[int, int]] = []
    for start in range(0, 30, 10):
        appended = store.append([outcome(n) for n in range(start, start + 10)], fold)
        spans += [(before, last) for _, before, last in appended.spans]
    assert spans == [(0, 10), (10, 20), (20, 30)]


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: type(event).__name__)
def test_the_same_again_has_no_second_effect(store: Store, event: Event) -> None:
    first = store.append([event, event], fold)
    again = store.append([event], fold)
    assert first.accepted == (event,)
    assert (again.accepted, again.conflicts, again.deltas) == ((), (), Deltas())
    assert again.spans == ()
    assert log(store) == [event]
    assert learned(store) == taught([event])


GIVEN = feedback("feedback_1", 0.5, decision_id="dec_1", source="user:1", metadata={"a": [1]})


@pytest.mark.parametrize(
    ("other", "in_conflict"),
    [
        (replace(GIVEN, recorded_at=at(99)), False),
        (replace(GIVEN, clamped=True), False),
        (replace(GIVEN, metadata={"a": (1,)}), False),
        (replace(GIVEN, quality=0.6), True),
        (replace(GIVEN, source="user:2"), True),
        (replace(GIVEN, tier="premium"), False),
        (replace(GIVEN, model="large"), False),
        (replace(GIVEN, decision_id="dec_2"), True),
        (replace(GIVEN, segment=stage_segment("review", "other")), False),
        (replace(GIVEN, metadata={"a": [1], "b": 2}), True),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_an_id_used_for_something_else_is_a_conflict(
    store: Store, other: Feedback, *, in_conflict: bool, together: bool
) -> None:
    if together:
        conflicts = store.append([GIVEN, other], fold).conflicts
    else:
        store.append([GIVEN], fold)
        conflicts = store.append([other], fold).conflicts
    assert conflicts == (("feedback_1",) if in_conflict else ())
    assert log(store) == [GIVEN]


@pytest.mark.parametrize(
    "other", [{"tier": "premium"}, {"model": "large"}, {"segment": stage_segment("review", "other")}]
)
def test_without_a_decision_what_is_rated_is_the_callers_word(store: Store, other: dict[str, Any]) -> None:
    given = feedback("feedback_1")
    store.append([given], fold)
    assert store.append([replace(given, **other)], fold).conflicts == ("feedback_1",)


def test_what_has_no_id_of_the_callers_cannot_conflict(store: Store) -> None:
    store.append([decision(1), outcome(1), standing(1)], fold)
    again = store.append(
        [replace(decision(1), model="large"), outcome(1, success=False), standing(1, current="middle")], fold
    )
    assert (again.accepted, again.conflicts) == ((), ())


def test_kinds_have_ids_of_their_own(store: Store) -> None:
    events: list[Event] = [feedback("dec_1"), decision(1)]
    assert store.append(events, fold).accepted == tuple(events)


def test_a_source_revises_its_rating(store: Store) -> None:
    first = feedback("f1", 0.2, seconds=1, decision_id="dec_1", source="user:1")
    second = feedback("f2", 0.9, seconds=400, tier="premium", model="large", decision_id="dec_1", source="user:1")
    store.append([first], fold)
    (accepted,) = store.append([second], fold).accepted
    assert accepted == replace(second, replaces=Rating(0.2, at(1), "cheap", "small"))
    assert history(store) == ["f2"]
    assert history(store, "cheap") == []
    assert learned(store).sums == taught([second]).sums


def test_several_revisions_in_one_batch_chain(store: Store) -> None:
    batch = [feedback(f"f{n}", n / 10, seconds=n, decision_id="dec_1", source="user:1") for n in range(5)]
    accepted = store.append(batch, fold).accepted
    taken_back = [rating.replaces.quality for rating in accepted if isinstance(rating, Feedback) and rating.replaces]
    assert taken_back == [0.0, 0.1, 0.2, 0.3]
    assert history(store) == ["f4"]
    assert learned(store) == taught([batch[-1]])


def test_time_says_which_rating_is_in_force_not_the_order_of_arrival(store: Store) -> None:
    newer = feedback("newer", 0.9, seconds=9, decision_id="dec_1", source="user:1")
    older = feedback("older", 0.1, seconds=1, decision_id="dec_1", source="user:1")
    store.append([newer], fold)
    (accepted,) = store.append([older], fold).accepted
    assert accepted == replace(older, replaces=Rating(0.1, at(1), "cheap", "small"))
    assert history(store) == ["newer"]
    assert learned(store) == taught([newer])


def test_of_ratings_of_the_same_moment_the_last_to_arrive_is_in_force(store: Store) -> None:
    for feedback_id, quality in (("f1", 0.9), ("f2", 0.1), ("f3", 0.5)):
        store.append([feedback(feedback_id, quality, decision_id="dec_1")], fold)
    (rating,) = store.feedback_history("review", "analysis", None, 10)
    assert (rating.id, rating.recorded_at) == ("f3", at(0) + timedelta(microseconds=2))
    ((_, sample),) = learned(store).ratings[segment_tier_key(REVIEW, "cheap")]
    assert sample.quality_nano == 500_000_000


def test_ratings_that_revise_nothing(store: Store) -> None:
    batch = [
        feedback("f1", seconds=1, decision_id="dec_1", source="user:1"),
        feedback("f2", seconds=2, decision_id="dec_1", source="user:2"),
        feedback("f3", seconds=3, decision_id="dec_1"),
        feedback("f4", seconds=4, decision_id="dec_2", source="user:1"),
        feedback("f5", seconds=5, source="user:1"),
        feedback("f6", seconds=6, source="user:1"),
    ]
    assert store.append(batch, fold).accepted == tuple(batch)
    assert history(store) == ["f6", "f5", "f4", "f3", "f2", "f1"]


def test_the_history_is_the_newest_by_time_then_by_arrival(store: Store) -> None:
    for number, seconds in enumerate((5, 1, 3, 3, 9, 2)):
        store.append([feedback(f"f{number}", seconds=seconds, tier="cheap" if number % 2 else "premium")], fold)
    assert history(store) == ["f4", "f0", "f3", "f2", "f5", "f1"]
    assert history(store, limit=3) == ["f4", "f0", "f3"]
    assert history(store, "cheap") == ["f3", "f5", "f1"]
    assert history(store, "cheap", limit=1) == ["f3"]
    assert history(store, "other") == history(store, limit=0) == []


def test_known_fault_4_the_newest_hundred_are_the_newest(store: Store) -> None:
    store.append([feedback(f"good{n}", 0.95, seconds=n) for n in range(100)], fold)
    store.append([feedback(f"bad{n}", 0.30, seconds=200 + n) for n in range(100)], fold)
    newest = store.feedback_history("review", "analysis", "cheap", 100)
    assert {rating.quality for rating in newest} == {0.30}


def test_names_stay_apart(store: Store) -> None:
    names = ("a", "*", "a:b", "b", "%", "_", "ü", "\x00", "a\x00", '"', "'; --", "[", "\x1f", "A", " ", "")
    pairs = [(workflow, stage) for workflow in names for stage in names]
    store.append([feedback(f"{pair}", segment=stage_segment(*pair)) for pair in pairs], fold)
    for pair in pairs:
        assert [rating.id for rating in store.feedback_history(*pair, None, 10)] == [f"{pair}"]
        assert [rating.id for rating in store.feedback_history(*pair, "cheap", 10)] == [f"{pair}"]
    for workflow in names:
        assert store.rated_tiers(workflow) == [(stage, "cheap") for stage in sorted(names)]
    assert store.clear_feedback("*", "*", fold) == 1
    assert store.clear_feedback("%", None, fold) == len(names)
    assert sum(len(store.feedback_history(*pair, None, 10)) for pair in pairs) == len(pairs) - 1 - len(names)


def test_rated_tiers_are_those_with_a_rating_in_force(store: Store) -> None:
    store.append(
        [
            feedback("f1", tier="premium"),
            feedback("f2", tier="cheap", decision_id="dec_1"),
            feedback("f3", tier="capable", segment=stage_segment("review", "z")),
            feedback("f4", segment=stage_segment("other", "analysis")),
            feedback("f5", segment=agent_segment("review")),
            feedback("f6", tier="capable", seconds=1, decision_id="dec_1"),
        ],
        fold,
    )
    assert store.rated_tiers("review") == [("analysis", "capable"), ("analysis", "premium"), ("z", "capable")]
    assert store.rated_tiers("nobody") == []


def test_a_decision_is_known_with_what_followed(store: Store) -> None:
    revised = feedback("f1", 0.1, seconds=5, decision_id="dec_1", source="user:1")
    late = feedback("f2", 0.2, seconds=9, decision_id="dec_1", source="user:1")
    other = feedback("f3", 0.3, seconds=7, decision_id="dec_1", source="user:2")
    fallback = outcome(1, seconds=2, model="large", completion_id="cmpl_9")
    store.append([decision(1), outcome(1, success=False), fallback, revised, late, other], fold)
    store.append([decision(2), outcome(2)], fold)
    record = store.decision("dec_1")
    assert record is not None
    assert record.decision == decision(1)
    assert record.outcomes == (outcome(1, success=False), fallback)
    assert [rating.id for rating in record.feedback] == ["f3", "f2"]
    assert store.decision_of_completion("cmpl_9") == "dec_1"


def test_nobody_knows_what_never_was(store: Store) -> None:
    store.append([outcome(1), feedback("dec_2")], fold)
    assert store.decision("dec_1") is store.decision("dec_2") is store.decision("") is None
    assert store.decision_of_completion("cmpl_1") is store.decision_of_completion("") is None


def test_the_newest_decisions_and_alerts(store: Store) -> None:
    store.append([decision(n, seconds=s) for n, s in enumerate((5, 1, 9, 9))], fold)
    store.append([alert(1, seconds=5), alert(2, seconds=6), alert(1, seconds=5, resolved_s=7)], fold)
    assert [d.id for d in store.recent_decisions(10)] == ["dec_3", "dec_2", "dec_0", "dec_1"]
    assert [d.id for d in store.recent_decisions(2)] == ["dec_3", "dec_2"]
    assert [a.id for a in store.recent_alerts(2)] == ["alert_1/resolved", "alert_2"]
    assert (list(store.recent_decisions(0)), list(store.recent_alerts(0))) == ([], [])


def test_the_decisions_until_a_moment(store: Store) -> None:
    store.append([decision(n, seconds=s) for n, s in enumerate((5, 1, 9, 9))], fold)
    newest, *_, oldest = store.recent_decisions(4)
    assert [d.id for d in store.decisions_until(newest.decided_at, 10)] == ["dec_3", "dec_2", "dec_0", "dec_1"]
    assert [d.id for d in store.decisions_until(newest.decided_at, 3)] == ["dec_3", "dec_2", "dec_0"]
    just_before = newest.decided_at - timedelta(microseconds=1)
    assert [d.id for d in store.decisions_until(just_before, 10)] == ["dec_0", "dec_1"]
    assert list(store.decisions_until(oldest.decided_at, 0)) == []
    assert list(store.decisions_until(oldest.decided_at - timedelta(days=1), 9)) == []


def test_the_newest_changes(store: Store) -> None:
    other = stage_segment("review", "other")
    store.append([standing(1, seconds=5), standing(2, seconds=9), outcome(1, seconds=10)], fold)
    store.append([standing(1, seconds=6, segment=other), standing(2, seconds=9, segment=other)], fold)
    changed = [(change.segment == other, change.revision) for change in store.recent_changes(10)]
    assert sorted(changed[:2]) == [(False, 2), (True, 2)]  # of the same moment
    assert changed[2:] == [(True, 1), (False, 1)]
    assert [change.revision for change in store.recent_changes(2)] == [2, 2]
    until = [(change.segment == other, change.revision) for change in store.recent_changes(10, at(6))]
    assert until == [(True, 1), (False, 1)]
    assert list(store.recent_changes(0)) == list(store.recent_changes(5, at(4))) == []
    store.trim(at(2 * DAY_S))
    assert list(store.recent_changes(5)) == []


def test_the_log_is_followed_in_steps(store: Store) -> None:
    store.append([outcome(n) for n in range(7)], fold)
    position, steps = START, []
    while True:
        events, position = store.events_after(position, 3)
        steps.append((len(events), sum(position)))
        if not events:
            break
    assert steps == [(3, 3), (3, 6), (1, 7), (0, 7)]


def test_a_fold_that_fails_leaves_nothing(store: Store) -> None:
    def broken(_events: Sequence[Event]) -> Deltas:
        raise ArithmeticError("broken")

    store.append([feedback("f1", decision_id="dec_1")], fold)
    with pytest.raises(ArithmeticError):
        store.append([feedback("f2", seconds=1, decision_id="dec_1"), outcome(1)], broken)
    assert (len(log(store)), history(store), sum(store.load()[1])) == (1, ["f1"], 1)
    ((_, before, last),) = store.append([outcome(1)], fold).spans
    assert (before, last) == (1, 2)


@pytest.mark.parametrize("metadata", [{"a": object()}, {"a": "\ud800"}, {"a": {1, 2}.__iter__()}])
def test_what_cannot_be_written_down_is_refused_with_its_batch(store: Store, metadata: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="feedback_1"):
        store.append([outcome(1), feedback("feedback_1", metadata=metadata)], fold)
    assert log(store) == []
    assert store.load() == (Deltas(), store.oldest())


HISTORY = [
    event
    for n in range(60)
    for event in (
        outcome(n, seconds=n * 6_000, segment=SEGMENTS[n % 7], agent_id="a" if n % 3 else ""),
        feedback(
            f"f{n}",
            n % 11 / 10,
            seconds=n * 6_000 + 50,
            segment=SEGMENTS[n % 7],
            tier=("cheap", "premium")[n % 2],
            model=("small", "large")[n % 2],
            decision_id=f"dec_{n % 20 * 7 + n % 7}",
            source=f"user:{n % 3}",
        ),
    )
]
"""Four days of calls and ratings, some of which revise others."""


def test_the_state_is_what_the_log_teaches(store: Store) -> None:
    for start in range(0, len(HISTORY), 17):
        store.append(HISTORY[start : start + 17], fold)
        assert learned(store) == taught(log(store))
    assert sum(store.load()[1]) == len(HISTORY)


def test_trimming_takes_whole_days_and_leaves_what_they_taught(store: Store) -> None:
    store.append([decision(1), alert(1), *HISTORY], fold)
    before = store.load()
    logged = log(store)
    removed = store.trim(at(2 * DAY_S + 80_000))
    kept = [event for event in logged if event_time(event) >= at(2 * DAY_S)]
    assert removed == len(logged) - len(kept)
    assert store.events_after(store.oldest(), 1_000) == (as_logged(store, kept), before[1])
    assert store.load() == before
    assert store.trim(at(2 * DAY_S)) == 0
    assert store.decision("dec_1") is None
    assert list(store.recent_alerts(1)) == []


def test_rebuilding_after_trimming_and_compacting_changes_nothing(store: Store) -> None:
    happened: list[Event] = []
    for day in range(1, 5):
        happened += store.append(HISTORY[(day - 1) * 30 : day * 30], fold).accepted
        store.compact(at(day * DAY_S))
        store.trim(at((day - 1) * DAY_S))
    for days in (4, 40):
        store.compact(at(days * DAY_S))
        before = learned(store)
        assert before == fold(happened).climbed(at(days * DAY_S).timestamp())
        store.rebuild(fold)
        assert learned(store) == before


def test_compacting_keeps_every_total(store: Store) -> None:
    happened = store.append(HISTORY, fold).accepted
    for days in (1, 5, 20, 90):
        store.compact(at(days * DAY_S))
        assert learned(store) == fold(happened).climbed(at(days * DAY_S).timestamp())
    totals = [sums for (key, _), sums in learned(store).sums.items() if key == OVERALL]
    assert [sums.requests for sums in totals] == [60]


def test_rebuilding_mends_what_was_learned_wrongly(store: Store) -> None:
    happened = store.append(HISTORY, lambda _events: Deltas()).accepted
    store.rebuild(fold)
    assert learned(store) == taught(happened)


@pytest.mark.parametrize("stage", [None, "b"])
@pytest.mark.parametrize("trimmed", [True, False])
def test_clearing_makes_it_as_if_the_ratings_had_never_been(store: Store, stage: str | None, *, trimmed: bool) -> None:
    def cleared(event: Event) -> bool:
        return (
            isinstance(event, Feedback)
            and event.segment[:2] == ("stage", "a")
            and (stage is None or event.segment[2] == stage)
        )

    happened = store.append(HISTORY, fold).accepted
    in_force = sum(len(store.feedback_history("a", name, None, 100)) for name in ("b", "*") if stage in (None, name))
    store.compact(at(5 * DAY_S))
    if trimmed:
        store.trim(at(2 * DAY_S))
        in_force = sum(
            len(store.feedback_history("a", name, None, 100)) for name in ("b", "*") if stage in (None, name)
        )
    assert store.clear_feedback("a", stage, fold) == in_force > 0
    rest = fold([event for event in happened if not cleared(event)]).climbed(at(5 * DAY_S).timestamp())
    assert learned(store) == rest
    store.rebuild(fold)
    assert learned(store) == rest
    assert list(store.feedback_history("a", "b", None, 10)) == []
    assert store.clear_feedback("a", stage, fold) == 0


def test_what_was_cleared_may_be_given_again(store: Store) -> None:
    given = feedback("f1", 0.9, decision_id="dec_1", source="user:1")
    store.append([given], fold)
    store.clear_feedback("review", "analysis", fold)
    assert store.append([given], fold).accepted == (given,)
    assert learned(store).sums[model_key("small"), finest(micros(at(0)) // FINEST_US)].ratings == 1


def test_a_follower_is_told_that_it_has_to_load_again(store: Store) -> None:
    changes: list[Callable[[], object]] = [
        lambda: store.clear_feedback("nobody", None, fold),
        lambda: store.rebuild(fold),
    ]
    for number, change in enumerate(changes):
        store.append([outcome(number)], fold)
        position = store.load()[1]
        change()
        with pytest.raises(PositionLost):
            store.events_after(position, 10)
        state, position = store.load()
        assert store.events_after(position, 10) == ([], position)
        assert state.outcomes


def test_trimming_is_no_news_to_who_has_read_it(store: Store) -> None:
    store.append([outcome(n, seconds=n * DAY_S) for n in range(4)], fold)
    (_, first), (_, second) = (store.events_after(START, number) for number in (1, 2))
    store.trim(at(2 * DAY_S))
    with pytest.raises(PositionLost):
        store.events_after(first, 10)
    assert store.oldest() == second
    assert len(store.events_after(second, 10)[0]) == 2
    store.compact(at(9 * DAY_S))
    assert len(store.events_after(second, 10)[0]) == 2


def test_the_last_change_of_a_segment_holds(store: Store) -> None:
    store.append([standing(2, current="large"), standing(1, current="middle")], fold)
    store.append([standing(2, current="small")], fold)
    store.trim(at(9 * DAY_S))
    store.rebuild(fold)
    (held,) = learned(store).standings.values()
    assert (held.revision, held.current) == (2, "large")


def test_many_threads_append_and_read(store: Store) -> None:
    def work(number: int) -> None:
        for n in range(20):
            event = feedback(f"f{number}/{n}", seconds=n)
            assert store.append([event, outcome(n % 5)], fold).accepted[0] == event
            store.feedback_history("review", "analysis", None, 5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(history(store)) == 80
    assert learned(store) == taught(log(store))
    assert sum(store.load()[1]) == 85


def test_closing_twice_is_closing(store: Store) -> None:
    store.close()
    store.close()
