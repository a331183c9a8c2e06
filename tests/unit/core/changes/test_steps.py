"""What may follow what, and that a change is read back from its steps as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.adapters.codec import as_logged
from tiercel.core.changes.steps import TRANSITIONS, allowed, change_of, event_of, requested, stepped, wanted_of
from tiercel.domain.changes import AUTOMATIC, Change, ChangeStatus
from tiercel.domain.events import StandingChange
from tiercel.domain.request import stage_segment
from tiercel.testing import EPOCH

WANTED = StandingChange(
    changed_at=EPOCH,
    segment=stage_segment("review", "analysis"),
    policy="tier-rules",
    previous="capable",
    current="cheap",
    reason="cheap is as good",
    confidence=0.9,
    revision=3,
    evidence={"samples": 12, "quality": 0.9},
)
LATER = EPOCH + timedelta(seconds=5)


def first(*, approval: bool = True, rollout: bool = False) -> Change:
    return requested(WANTED, None, EPOCH, approval=approval, rollout=rollout, timeout_s=60.0)


def test_every_status_has_its_row_and_ends_lead_nowhere() -> None:
    assert set(TRANSITIONS) == {None, *ChangeStatus}
    for status in ChangeStatus:
        for rollout in (True, False):
            change = replace(first(rollout=rollout), status=status)
            follows = {other for other in ChangeStatus if allowed(change, other)}
            assert bool(follows) is change.under_way
            assert change.under_way + change.granted + change.refused == 1
            for other in set(ChangeStatus) - follows:
                with pytest.raises(ValueError, match="cannot become"):
                    stepped(change, other, LATER, "")


@given(path=st.lists(st.sampled_from(ChangeStatus), max_size=6), rollout=st.booleans())
def test_steps_are_logged_and_read_back(path: list[ChangeStatus], rollout: bool) -> None:  # noqa: FBT001 - drawn
    change = first(rollout=rollout)
    revisions = [change.revision]
    for status in path:
        if allowed(change, status):
            change = stepped(change, status, LATER, "why", actor="ada", note="words")
            revisions.append(change.revision)
        step = as_logged(event_of(change))
        assert isinstance(step, StandingChange)
        assert change_of(step) == change
    assert revisions == list(range(1, len(revisions) + 1))
    assert wanted_of(change) == replace(WANTED, changed_at=change.stepped_at)


def test_who_decided_stays_while_it_goes_on_by_itself() -> None:
    approved = stepped(first(rollout=True), ChangeStatus.APPROVED, LATER, "", actor="ada", note="go")
    rolling = stepped(approved, ChangeStatus.ROLLING, LATER, "")
    assert (rolling.decided_by, rolling.decided_at, rolling.note) == ("ada", LATER, "go")
    assert rolling.actor == AUTOMATIC
    stopped = stepped(rolling, ChangeStatus.ROLLED_BACK, LATER, "worse")
    assert (stopped.decided_by, stopped.note) == (AUTOMATIC, "")


def test_each_request_has_an_id_of_its_own_and_equal_ones_the_same() -> None:
    one, same = first(), first()
    assert one.id == same.id
    again = requested(WANTED, event_of(one), EPOCH, approval=True, rollout=False, timeout_s=60.0)
    elsewhere = requested(
        replace(WANTED, segment=stage_segment("review", "other")),
        None,
        EPOCH,
        approval=True,
        rollout=False,
        timeout_s=1,
    )
    assert len({one.id, again.id, elsewhere.id}) == 3


def test_a_request_is_overdue_when_its_time_is_over() -> None:
    change = first()
    assert not change.overdue(EPOCH + timedelta(seconds=59.9))
    assert change.overdue(EPOCH + timedelta(seconds=60))
    assert not first(approval=False).overdue(EPOCH + timedelta(days=9))
