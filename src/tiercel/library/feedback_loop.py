"""`FeedbackLoop`: rate what a tier made of a workflow's stage, and be told which tier to use next."""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Self, Unpack

from tiercel import bootstrap
from tiercel.config.environment import STORE_VARIABLE, store_url
from tiercel.config.settings import StoreSettings
from tiercel.core.statistics.fold import fold
from tiercel.domain.catalogue import DEFAULT_TIERS
from tiercel.ports import Clock, Store
from tiercel.services.delivering.direct_commit import DirectCommit
from tiercel.services.ids import new_feedback_id
from tiercel.services.rating.feedback_constants import Constants
from tiercel.services.rating.feedback_loop import FeedbackService

log = logging.getLogger("tiercel.feedback")


class FeedbackLoop(FeedbackService):
    """Founding system B over a store of its own or a shared one.

    `store` is a URL ("memory://", "sqlite:///feedback.db", ...), a store that is open already (and stays open), or
    None: then the environment variable TIERCEL_STORE, else memory. `tiers` are ordered, cheapest first.
    `FEEDBACK_TTL`, `MIN_SAMPLES` and `QUALITY_THRESHOLD` (or in lower case) change the loop's constants;
    `per_workflow` changes them for single workflows: {"code-review": {"QUALITY_THRESHOLD": 0.8}}.
    `outbox` is a file for what the store has not got while it is away, at most `max_buffered` ratings: True is one in
    the working directory where the store is a server, and memory where it is not; False is memory.

    Raises `InvalidInput` for settings that cannot be. Thread-safe; as a context manager it closes itself.
    """

    def __init__(
        self,
        store: str | Store | None = None,
        *,
        tiers: Sequence[str] = DEFAULT_TIERS,
        per_workflow: Mapping[str, Constants] | None = None,
        max_buffered: int = 10_000,
        outbox: str | bool = True,
        clock: Clock = bootstrap.SYSTEM_CLOCK,
        new_id: Callable[[], str] = new_feedback_id,
        **constants: Unpack[Constants],
    ) -> None:
        opened = bootstrap.open_store(_resolved(store)) if store is None or isinstance(store, str) else store
        kept = StoreSettings(outbox=outbox, outbox_max_events=max_buffered)
        super().__init__(
            opened,
            fold=fold,
            clock=clock,
            new_id=new_id,
            tiers=tiers,
            per_workflow=per_workflow,
            max_buffered=max_buffered,
            outbox=bootstrap.build_outbox(opened, kept, of="feedback"),
            jitter=bootstrap.jitter,
            **constants,
        )
        # also at interpreter exit: what waits for the store must be delivered, or its loss said, without a close()
        self._finish = weakref.finalize(self, _finish, self.commits, None if opened is store else opened)

    def close(self) -> None:
        """Deliver what waits for the store and close the store if this loop opened it; idempotent."""
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _finish(commits: DirectCommit, store: Store | None) -> None:
    commits.finish()
    if store is not None:
        store.close()


def _resolved(store: str | None) -> str:
    url = store or store_url()
    if url is None:
        _say_that_memory_forgets()
        return "memory://"
    return url


@functools.cache
def _say_that_memory_forgets() -> None:
    log.warning(
        "feedback is kept in memory and will not outlive this process; to keep it, set %s=sqlite:///feedback.db"
        ' or give FeedbackLoop(store="sqlite:///feedback.db")',
        STORE_VARIABLE,
    )
