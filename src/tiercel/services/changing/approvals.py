"""Answering changes that wait, stopping those that roll out, and moving on what is due.

Every answer is an event of the revision after the last, so of several people who answer at the same time, at whichever
process, one has; the others are told by whom, and what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from tiercel.core.changes.comparison import Comparison, compared
from tiercel.core.changes.steps import allowed, change_of, event_of, expired, stepped
from tiercel.domain.changes import AUTOMATIC, GATE, Change, ChangeStatus
from tiercel.domain.errors import AlreadyDecided, InvalidInput, NotFound, Problem, StoreError, StoreUnavailable
from tiercel.domain.events import StandingChange
from tiercel.domain.names import name_problem
from tiercel.services.learning.learner import Learner

ACKNOWLEDGE_S = 5.0
MAX_NOTE = 2_000
LOCAL = "local"
"""Who answers where nobody says who."""
_ATTEMPTS = 5


class Answer(NamedTuple):
    """What somebody wants done to a change: `word` names it in messages."""

    status: ChangeStatus
    word: str
    needs_note: bool = False


APPROVE = Answer(ChangeStatus.APPROVED, "approved")
REJECT = Answer(ChangeStatus.REJECTED, "rejected", needs_note=True)
STOP = Answer(ChangeStatus.ROLLED_BACK, "stopped", needs_note=True)


class Approvals:
    """The newest change of every segment. Thread-safe. `due` gives what the policies would do next by themselves."""

    def __init__(self, learner: Learner, due: Callable[[], Sequence[StandingChange]]) -> None:
        self._learner = learner
        self._due = due

    def changes(self, status: ChangeStatus | None = None) -> list[Change]:
        """The newest change of each segment, those that wait first and of equals the newest first; of one status.

        A request whose time is over is shown as expired even before that is logged.
        """
        # one that waits may be over since; what else a step says is what it is
        told = tuple(ChangeStatus) if status is None else (status, ChangeStatus.PENDING)
        steps = (step for step in self._learner.knowledge.standings(GATE) if step.evidence["status"] in told)
        found = [self._as_of_now(change_of(step)) for step in steps]
        found = [change for change in found if status in (None, change.status)]
        found.sort(key=lambda change: change.requested_at, reverse=True)
        return sorted(found, key=lambda change: not change.under_way)

    def get(self, change_id: str) -> Change:
        """The change of that id. Raises `NotFound` where there is none, or a newer one of its segment."""
        return self._as_of_now(self._found(change_id))

    def compared(self, change: Change) -> Comparison | None:
        """How the two arms of a rollout were rated at its share; None where nothing rolls out or did."""
        return compared(self._learner.knowledge, change) if change.status is ChangeStatus.ROLLING else None

    def answer(self, change_id: str, answer: Answer, *, by: str = "", note: str = "") -> Change:
        """Approve, reject or stop a change; waits until that is logged, and gives the change as it is then.

        A rejection and a stop need a `note` that says why. Raises `InvalidInput`, `NotFound`, `AlreadyDecided` where
        somebody was quicker, `StoreUnavailable` where nobody can be told now: the answer may then still arrive.
        """
        _check(answer, by, note)
        if self._learner.degraded:
            raise StoreUnavailable("the store is away, so nobody can be told of an answer now: try again")
        for _ in range(_ATTEMPTS):
            change = self.get(change_id)
            if not allowed(change, answer.status):
                raise AlreadyDecided(change_id, _became(change))
            reason = f"{answer.word} by {by or LOCAL}" + (f": {note}" if note else "")
            step = stepped(change, answer.status, self._learner.clock.now(), reason, actor=by or LOCAL, note=note)
            event = event_of(step)
            receipt = self._learner.record(event, timeout_s=ACKNOWLEDGE_S)
            if receipt.kept:
                raise StoreUnavailable("the store is away; the answer is kept and sent when it is back")
            if any(accepted.id == event.id for accepted in receipt.accepted):
                return self.get(change_id)
            # somebody else made that step
            self._learner.catch_up()
        raise AlreadyDecided(change_id, "goes on changing: look again")

    def check(self) -> None:
        """Leave what is due to be logged: requests nobody answered in time, and the next steps of rollouts.

        Cost linear in the segments that ever had a change.
        """
        now = self._learner.clock.now()
        due = {change.segment: change for change in self._due()}
        for step in self._learner.knowledge.standings(GATE):
            if step.evidence["status"] == ChangeStatus.PENDING and step.segment not in due:
                change = change_of(step)
                if change.overdue(now):
                    due[change.segment] = event_of(expired(change))
        if due:
            self._learner.leave(*due.values())

    def count(self, status: ChangeStatus) -> int:
        """How many changes are in that state now."""
        return len(self.changes(status))

    def _found(self, change_id: str) -> Change:
        found = self._known(change_id)
        if found is None:
            with suppress(StoreError):  # asked for by another process a moment ago, perhaps
                self._learner.catch_up()
                found = self._known(change_id)
        if found is None:
            raise NotFound(f"no change {change_id[:80]!r}")
        return found

    def _known(self, change_id: str) -> Change | None:
        steps = self._learner.knowledge.standings(GATE)
        return next((change_of(step) for step in steps if step.evidence["id"] == change_id), None)

    def _as_of_now(self, change: Change) -> Change:
        return expired(change) if change.overdue(self._learner.clock.now()) else change


def _became(change: Change) -> str:
    who = "by itself" if change.actor == AUTOMATIC else f"by {change.actor}"
    return f"is {change.status} since {change.stepped_at.isoformat(timespec='seconds')}, {who}: {change.step_reason}"


def _check(answer: Answer, by: str, note: str) -> None:
    problems = []
    if by and (problem := name_problem("by", by)):
        problems.append(problem)
    if len(note) > MAX_NOTE:
        problems.append(Problem("reason", f"must be at most {MAX_NOTE} characters", str(len(note)), "range"))
    if answer.needs_note and not note.strip():
        problems.append(Problem("reason", f"is required: say why it is {answer.word}", "", "missing"))
    if problems:
        raise InvalidInput(problems)
