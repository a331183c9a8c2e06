"""Changes that wait for a yes, as `Router` and `AsyncRouter` offer them."""

from __future__ import annotations

import asyncio
from functools import partial

from tiercel.domain.changes import Change, ChangeStatus
from tiercel.services.changing.approvals import APPROVE, REJECT, STOP, Answer, Approvals
from tiercel.services.deciding.router import Router as Core
from tiercel.services.learning.learner import Learner


class WithChanges:
    """What both routers are built on here."""

    learner: Learner
    core: Core

    @property
    def changes(self) -> Approvals:
        """Changes that wait, roll out or did, and what is done with them; blocking calls."""
        return Approvals(self.learner, self.core.reviews.due)

    def approvals(self, status: str | None = None) -> list[Change]:
        """The newest change of each segment, those that wait first; of one of `ChangeStatus`. Reads memory only.

        Raises `ValueError` for another status.
        """
        return self.changes.changes(None if status is None else ChangeStatus(status))


class Approving(WithChanges):
    """For threads: an answer waits until it is logged."""

    def approve(self, change_id: str, *, by: str = "", reason: str = "") -> Change:
        """Say yes to a change that waits, in the name of `by`; gives it as it is then.

        Raises `InvalidInput`, `NotFound`, `AlreadyDecided` where somebody was quicker, `StoreUnavailable`.
        """
        return self.changes.answer(change_id, APPROVE, by=by, note=reason)

    def reject(self, change_id: str, *, by: str = "", reason: str) -> Change:
        """Say no, and why. Raises as `approve` does."""
        return self.changes.answer(change_id, REJECT, by=by, note=reason)

    def stop_rollout(self, change_id: str, *, by: str = "", reason: str) -> Change:
        """End a rollout and go back, and say why. Raises as `approve` does."""
        return self.changes.answer(change_id, STOP, by=by, note=reason)


class AsyncApproving(WithChanges):
    """For tasks: an answer is awaited until it is logged."""

    async def approve(self, change_id: str, *, by: str = "", reason: str = "") -> Change:
        """See `Router.approve`."""
        return await self._answered(change_id, APPROVE, by, reason)

    async def reject(self, change_id: str, *, by: str = "", reason: str) -> Change:
        """See `Router.reject`."""
        return await self._answered(change_id, REJECT, by, reason)

    async def stop_rollout(self, change_id: str, *, by: str = "", reason: str) -> Change:
        """See `Router.stop_rollout`."""
        return await self._answered(change_id, STOP, by, reason)

    async def _answered(self, change_id: str, answer: Answer, by: str, note: str) -> Change:
        return await asyncio.to_thread(partial(self.changes.answer, change_id, answer, by=by, note=note))
