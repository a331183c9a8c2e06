"""Approvals over every store: of two processes, and of two people, one wins; and nothing is lost with a process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from support.gated import Process, process
from support.worlds import SEGMENT
from tiercel.core.beliefs.labels import label_of
from tiercel.core.changes.steps import event_of, stepped
from tiercel.core.policies.gated import GateSettings
from tiercel.core.statistics.arms import ARM
from tiercel.core.statistics.fold import fold
from tiercel.domain.changes import GATE, Change, ChangeStatus
from tiercel.domain.errors import AlreadyDecided
from tiercel.domain.events import Feedback
from tiercel.domain.request import RequestContext
from tiercel.ports import Store
from tiercel.services.changing.approvals import APPROVE, REJECT, STOP, Answer
from tiercel.testing import ManualClock

ASKING = GateSettings(approval=True, approval_timeout_s=60.0)


def answered(who: Process, change: Change, answer: Answer, by: str) -> str:
    """What became of an answer."""
    try:
        return str(who.approvals.answer(change.id, answer, by=by, note="said the test").status)
    except AlreadyDecided as error:
        return str(error)


def test_one_asks_and_another_answers(store: Store) -> None:
    clock = ManualClock()
    with process(store, clock, ASKING) as first, process(store, clock, ASKING) as second:
        first.rate(0.2, 20)
        second.learner.catch_up()
        asked = second.only()
        assert (asked.status, asked.previous, asked.current) == (ChangeStatus.PENDING, "cheap", "capable")
        assert (first.tier, second.tier) == ("cheap", "cheap")
        approved = second.approvals.answer(asked.id, APPROVE, by="ada", note="go")
        assert (approved.status, approved.decided_by, approved.note) == (ChangeStatus.APPROVED, "ada", "go")
        first.look()
        assert (first.tier, second.tier) == ("capable", "capable")
        assert first.only() == second.only()
        policies = [change.policy for change in store.recent_changes(10)]
        assert sorted(policies) == [GATE, GATE, "tier-rules"]
    with process(store, clock, ASKING) as third:
        assert (third.tier, third.only().decided_by) == ("capable", "ada")


def test_both_ask_at_once_and_one_request_is_logged(store: Store) -> None:
    clock = ManualClock()
    with process(store, clock, ASKING) as first, process(store, clock, ASKING) as second:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda who: who.rate(0.2, 20), (first, second)))
        first.look()
        second.look()
        assert first.only() == second.only()
        assert len([change for change in store.recent_changes(10) if change.policy == GATE]) == 1


@pytest.mark.parametrize("round_number", range(3))
def test_of_two_who_answer_at_once_one_wins_and_the_other_is_told(store: Store, round_number: int) -> None:
    clock = ManualClock()
    with ExitStack() as open_processes:
        processes = [open_processes.enter_context(process(store, clock, ASKING)) for _ in range(2)]
        processes[0].rate(0.2, 20)
        processes[1].learner.catch_up()
        asked = processes[0].only()
        answers = [(processes[0], APPROVE, "ada"), (processes[1], REJECT, "grace")]
        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(partial(answered, who, asked, answer, by)) for who, answer, by in answers]
            said = [future.result() for future in futures]
        for each in processes:
            each.look()
        won = processes[0].only()
        assert won == processes[1].only()
        assert won.status in (ChangeStatus.APPROVED, ChangeStatus.REJECTED)
        loser = said[1] if won.decided_by == "ada" else said[0]
        assert f"is {won.status} since" in loser
        assert f"by {won.decided_by}" in loser
        assert said.count(str(won.status)) == 1
        expected = "capable" if won.status is ChangeStatus.APPROVED else "cheap"
        assert [each.tier for each in processes] == [expected, expected]


def test_nobody_answers_and_it_is_over_by_the_clock(store: Store) -> None:
    clock = ManualClock()
    with process(store, clock, ASKING) as first, process(store, clock, ASKING) as second:
        first.rate(0.2, 20)
        second.learner.catch_up()
        asked = second.only()
        clock.advance(60.0)
        # at the moment it is read, before anything is logged
        assert second.only().status is ChangeStatus.EXPIRED
        with pytest.raises(AlreadyDecided, match=r"is expired since .*, by itself: nobody answered in time"):
            second.approvals.answer(asked.id, APPROVE, by="ada")
        first.look()
        second.look()
        assert first.only() == second.only()
        logged = first.learner.knowledge.standing(GATE, SEGMENT)
        assert logged is not None
        assert (logged.revision, logged.evidence["status"]) == (2, "expired")
        assert first.only().stepped_at >= asked.requested_at + timedelta(seconds=60)
        assert first.tier == "cheap"


def test_what_was_stopped_is_not_made_by_who_thought_it_was_done(store: Store) -> None:
    """One process says stop while another, which does not know yet, says done: the change must not stand."""
    clock, rolls = ManualClock(), GateSettings(rollout=True)
    with process(store, clock, rolls) as first, process(store, clock, rolls) as second:
        first.rate(0.2, 20)
        second.learner.catch_up()
        rolling = second.only()
        done = event_of(stepped(rolling, ChangeStatus.DONE, clock.now(), "not seen to be worse"))
        first.approvals.answer(rolling.id, STOP, by="ada", note="looks odd")
        second.learner.record(done, timeout_s=10.0)
        for each in (first, second):
            each.look()
            assert (each.only().status, each.only().decided_by) == (ChangeStatus.ROLLED_BACK, "ada")
            assert each.tier == "cheap"
        assert all(change.policy == GATE for change in store.recent_changes(10))


def test_a_rollout_outlives_its_processes_with_what_it_was_rated(store: Store) -> None:
    clock, rolls = ManualClock(), GateSettings(rollout=True, shares=(0.5, 1.0))
    with process(store, clock, rolls) as first:
        first.rate(0.2, 20)
        for _ in range(30):
            decision = first.router.decide(RequestContext(workflow="review", stage="analysis"))
            arm = int(decision.proposal.details[ARM])
            assert decision.propensity == decision.chosen.probability
            rating = replace(
                said(decision.id, 0.9 - 0.5 * arm, clock),
                label=label_of(decision, decision.model, first.learner.knowledge),
            )
            first.learner.record(decision, rating, timeout_s=10.0)
        before = first.approvals.compared(first.only())
        assert before is not None
        assert before.old.number + before.new.number == 30
        assert before.new.number == 0 or before.new.mean == pytest.approx(0.4)
    with process(store, clock, rolls) as second:
        assert second.approvals.compared(second.only()) == before
    store.rebuild(fold)
    with process(store, clock, rolls) as third:
        assert third.approvals.compared(third.only()) == before


def said(decision_id: str, quality: float, clock: ManualClock) -> Feedback:
    return Feedback(
        id=f"said/{decision_id}",
        recorded_at=clock.now(),
        segment=SEGMENT,
        tier="cheap",
        quality=quality,
        decision_id=decision_id,
        source="user",
    )
