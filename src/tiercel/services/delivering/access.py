"""The store as a delivery sees it: it is there, or away, or parts of it are away alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from tiercel.domain.errors import StoreError
from tiercel.domain.events import Event
from tiercel.ports import Appended
from tiercel.services.delivering.backoff import Backoff

log = logging.getLogger("tiercel.delivery")


class Access:
    """Commits, and knows when a store is tried again that is away, and each part of it that is away alone."""

    def __init__(self, commit: Callable[[Sequence[Event]], Appended], new: Callable[[], Backoff]) -> None:
        self.whole = new()
        self._commit = commit
        self._new = new
        self._parts: dict[int, Backoff] = {}

    @property
    def error(self) -> str:
        """What the store said last, if it or a part of it is away; else ""."""
        said = (self.whole.error, *(backoff.error for backoff in tuple(self._parts.values())))
        return "; ".join(dict.fromkeys(filter(None, said)))

    def retry_at_s(self, part: int) -> float:
        """From when on a part may be tried."""
        backoff = self._parts.get(part)
        return self.whole.retry_at_s if backoff is None else max(self.whole.retry_at_s, backoff.retry_at_s)

    def commit(self, events: Sequence[Event], parts: Collection[int], now_s: float) -> Appended:
        """What became of events of these parts. Raises `StoreError`, and then the store is taken to be away."""
        try:
            appended = self._commit(events)
        except StoreError as error:
            self.unavailable(error, now_s)
            raise
        self._note(appended.missing, [part for part in parts if part not in appended.missing], now_s)
        return appended

    def unavailable(self, error: StoreError, now_s: float) -> None:
        """The store was found to be away."""
        if not self.whole.error:
            log.warning("the store is away, what happens is kept until it is back: %s", error)
        self.whole.failed(str(error), now_s)

    def looked_at(self, missing: Mapping[int, str], now_s: float) -> None:
        """Of all the store these parts were found to be away."""
        self._note(missing, [part for part in self._parts if part not in missing], now_s)

    def forget(self) -> None:
        """Try everything again, whenever that was due."""
        for backoff in (self.whole, *self._parts.values()):
            backoff.forget()

    def _note(self, missing: Mapping[int, str], there: Collection[int], now_s: float) -> None:
        back = bool(self.whole.error) or any(part in self._parts for part in there)
        self.whole.succeeded()
        for part in there:
            self._parts.pop(part, None)
        if back:
            log.warning("the store is back%s", ", but for some of it" if missing or self._parts else "")
        gone = not missing.keys() <= self._parts.keys()
        for part, why in missing.items():
            backoff = self._parts.setdefault(part, self._new())
            # who was asked before his time waits no longer for that
            if now_s >= backoff.retry_at_s:
                backoff.failed(why, now_s)
        if gone:
            log.warning("a part of the store is away, what belongs there is kept until it is back: %s", self.error)
