"""The way into the log: nothing acknowledged is lost, nothing waits that need not, what is held equals the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from support.routing import PROMPT, TroubledStore
from tiercel.core.statistics.fold import OVERALL, fold
from tiercel.domain.errors import BufferFull, StoreError, StoreUnavailable
from tiercel.domain.events import Feedback, Outcome
from tiercel.domain.request import stage_segment
from tiercel.ports import START, Appended
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner
from tiercel.testing import EPOCH, ManualClock


def outcome(number: int) -> Outcome:
    return Outcome(
        decision_id=f"d{number}",
        recorded_at=EPOCH,
        segment=stage_segment("w", "s"),
        model="m",
        tier="cheap",
        success=True,
        latency_ms=10.0,
    )


def rating(feedback_id: str, quality: float) -> Feedback:
    return Feedback(id=feedback_id, recorded_at=EPOCH, segment=stage_segment("w", "s"), tier="cheap", quality=quality)


def learner(store: TroubledStore, settings: CommitSettings = PROMPT) -> Learner:
    return Learner(store, clock=ManualClock(), settings=settings)


def test_what_is_recorded_is_logged_and_learned() -> None:
    store = TroubledStore()
    opened = learner(store)
    receipt = opened.record(outcome(1), outcome(2))
    assert len(receipt.accepted) == 2
    assert opened.knowledge.sums(OVERALL).requests == 2
    assert len(store.events_after(START, 10)[0]) == 2
    opened.close()


def test_whoever_is_far_behind_takes_the_state_and_knows_the_same() -> None:
    store = TroubledStore()
    steps = CommitSettings(max_batch=10)
    near, far, other = (Learner(store, clock=ManualClock(), settings=steps, far_behind=50) for _ in range(3))
    heard: list[int] = []
    far.subscribe(lambda appended: heard.append(len(appended.accepted)))
    for number in range(60):
        other.record(*(outcome(n) for n in range(5 * number, 5 * number + 5)), rating(f"f{number}", number / 60))
        near.catch_up()
    assert far.catch_up() == 50
    assert heard == [10] * 5
    assert far.catch_up() == 0
    assert far.knowledge.export() == near.knowledge.export() == other.knowledge.export()
    other.record(outcome(999))
    assert far.catch_up() == near.catch_up() == 1
    assert far.knowledge.export() == near.knowledge.export()
    for opened in (near, far, other):
        opened.close()


def test_the_same_event_twice_counts_once() -> None:
    opened = learner(TroubledStore())
    opened.record(outcome(1))
    assert opened.record(outcome(1)).accepted == ()
    assert opened.knowledge.sums(OVERALL).requests == 1
    opened.close()


def test_what_is_left_is_committed_by_closing() -> None:
    store = TroubledStore()
    opened = learner(store, CommitSettings(linger_s=3600.0))
    for number in range(10):
        assert opened.leave(outcome(number))
    opened.close()
    assert len(store.events_after(START, 100)[0]) == 10


def test_while_the_store_is_away_events_wait_and_then_arrive_once() -> None:
    store = TroubledStore()
    store.away = 5
    opened = learner(store)
    opened.leave(outcome(1))
    opened.record(outcome(2))
    assert opened.knowledge.sums(OVERALL).requests == 2
    assert opened.status().dropped == 0
    opened.close()


def test_a_full_buffer_refuses_and_counts() -> None:
    store = TroubledStore()
    store.away = 1_000_000
    opened = learner(store, CommitSettings(max_buffered=3, first_retry_s=3600.0, last_retry_s=3600.0))
    assert all(opened.leave(outcome(number)) for number in range(3))
    assert not opened.leave(outcome(3))
    with pytest.raises(BufferFull):
        opened.send(outcome(4))
    assert opened.status().dropped == 2
    opened.close()
    assert opened.status().dropped == 5, "what could not be committed by closing is counted too"


def test_a_caller_who_cannot_wait_is_told_that_it_stays_buffered() -> None:
    store = TroubledStore()
    store.away = 1_000_000
    opened = learner(store, CommitSettings(first_retry_s=3600.0, last_retry_s=3600.0))
    with pytest.raises(StoreUnavailable, match="stays buffered"):
        opened.record(outcome(1), timeout_s=0.01)
    assert opened.status().buffered == 1
    opened.close()


def test_two_processes_learn_the_same_from_one_log() -> None:
    store = TroubledStore()
    one, other = learner(store), learner(store)
    one.record(outcome(1))
    other.record(outcome(2))
    one.record(outcome(3))
    other.catch_up()
    assert one.knowledge.export() == other.knowledge.export() == fold(store.events_after(START, 10)[0])
    one.close()
    other.close()


def test_a_fault_in_a_review_ends_neither_the_log_nor_the_next_commit() -> None:
    opened = learner(TroubledStore())
    faults = [ValueError("scripted")]

    def review(_: Appended) -> Sequence[object]:
        if faults:
            raise faults.pop()
        return ()

    opened.review = review  # type: ignore[assignment]
    assert len(opened.record(outcome(1)).accepted) == 1, "it is committed, and the caller is told so"
    assert len(opened.record(outcome(2)).accepted) == 1
    assert not faults
    opened.close()


def test_listeners_hear_what_was_learned_until_they_stop() -> None:
    opened = learner(TroubledStore())
    heard: list[str] = []
    stop = opened.subscribe(lambda appended: heard.extend(event.id for event in appended.accepted))
    opened.record(outcome(1))
    stop()
    opened.record(outcome(2))
    assert heard == ["d1/m"]
    opened.close()


def test_an_event_that_cannot_be_learned_takes_no_other_down() -> None:
    opened = learner(TroubledStore(), CommitSettings(linger_s=3600.0))
    opened.leave(outcome(1))
    opened.leave(replace(outcome(2), cost_usd=1e305))
    opened.leave(outcome(3))
    opened.close()
    assert opened.knowledge.sums(OVERALL).requests == 2
    assert opened.status().dropped == 1


def test_callers_of_one_commit_are_told_of_their_own_events_only() -> None:
    opened = learner(TroubledStore(), CommitSettings(linger_s=3600.0))
    first, second = rating("one", 0.9), rating("one", 0.1)
    opened.leave(outcome(1))
    waiting = [opened.delivery.send((first,)), opened.delivery.send((second,))]  # both fall into one commit
    opened.flush()
    stands, refused = (receipt.result(10) for receipt in waiting)
    assert ([event.id for event in stands.accepted], stands.conflicts) == (["one"], ())
    assert (refused.accepted, refused.conflicts) == ((), ("one",))
    opened.close()


def test_housekeeping_is_done_under_steady_traffic_and_its_faults_end_nothing() -> None:
    store = TroubledStore()
    clock = ManualClock()
    opened = Learner(store, clock=clock, settings=PROMPT, retention_s=float("inf"))
    for number in range(5):
        clock.advance(400.0)
        opened.record(outcome(number))
    assert opened.record(outcome(9)).accepted, "the thread lives, although an endless retention cannot be subtracted"
    opened.close()
    assert store.compacted


def test_a_fault_in_the_delivery_does_not_end_the_thread_that_runs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = learner(TroubledStore())
    step, faults = opened.delivery.step, iter([1])

    def faulty(now_s: float) -> float:
        if next(faults, None):
            raise ZeroDivisionError
        return step(now_s)

    monkeypatch.setattr(opened.delivery, "step", faulty)
    assert len(opened.record(outcome(1), timeout_s=10.0).accepted) == 1
    assert "fault of tiercel" in caplog.text
    opened.close()


def test_a_forked_process_is_told_to_open_its_own() -> None:
    opened = learner(TroubledStore())
    opened._commits._pid -= 1
    with pytest.raises(StoreError, match="forked"):
        opened.leave(outcome(1))
    opened.close()
