"""Approvals over every store: of two processes, and of two people, one wins; and nothing is lost with a process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import pytest

from support.gated import Process, process
from support.worlds import SEGMENT
from tiercel.core.policies.gated import GateSettings
from tiercel.domain.changes import GATE, Change, ChangeStatus
from tiercel.domain.errors import AlreadyDecided
from tiercel.ports import Store
from tiercel.services.changing.approvals import APPROVE, REJECT, Answer
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
