"""What a channel was told of a subject, folded from the notices of the log, and what it is owed next.

    alert fires   -> owed: fired          unless this incident was told in this severity or a worse one
    alert is over -> owed: resolved       where it was told that it fired

Everyone who shares a log folds the same notices in the same order, so everyone comes to the same conclusion; who acts
is decided by whose claim the log accepts. A claim that nothing follows is void after `CLAIM_S`, and what failed is
tried again, later each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from tiercel.core.statistics.buckets import CLOCKS_APART_US
from tiercel.domain.alerts import Alert, Severity
from tiercel.domain.incident import Notice, NoticeState, Occasion

_Place = TypeVar("_Place")
CLAIM_S = 60.0
FIRST_RETRY_S = 5.0
LAST_RETRY_S = 600.0
MAX_ATTEMPTS = 8
"""About 20 minutes of trying; then it is given up, and that is counted and said."""


class Owed(NamedTuple):
    """What a channel is to be told: of which alert, and by which attempt."""

    occasion: Occasion
    alert_id: str
    severity: Severity
    attempt: int = 1


class Told(NamedTuple):
    """What one channel was told of one subject: of the incident that goes on, and the notice that is under way."""

    fired: Notice | None = None
    under_way: Notice | None = None

    def after(self, notice: Notice) -> Told:
        """With the next notice of the log."""
        if notice.state == NoticeState.CLOSED:
            return Told()
        given_up = notice.state == NoticeState.FAILED and notice.attempt >= MAX_ATTEMPTS
        if notice.state == NoticeState.SENT or given_up:
            return Told(notice) if notice.occasion == Occasion.FIRED else Told()
        return Told(self.fired, notice)

    def __bool__(self) -> bool:
        return self.fired is not None or self.under_way is not None


def owed(told: Told, alert: Alert | None, now: datetime, *, jitter: float) -> Owed | None:
    """What is owed at `now`, None where nothing is, or nothing yet.

    `alert` is the subject's active alert, if the channel is told of such ones. `jitter` (0..1) spreads retries.
    """
    if alert is None:
        if told.fired is None:
            return None
        occasion, about = Occasion.RESOLVED, (told.fired.alert_id, Severity(told.fired.severity))
    else:
        if told.fired is not None and not _ended(told) and Severity(told.fired.severity).rank >= alert.severity.rank:
            return None
        occasion, about = Occasion.FIRED, (alert.alert_id, alert.severity)
    last = told.under_way
    if last is None or last.occasion != occasion:
        return Owed(occasion, *about)
    if alert is not None and alert.severity.rank > Severity(last.severity).rank:
        return Owed(occasion, *about)
    waits_s = CLAIM_S if last.state == NoticeState.CLAIMED else _retry_s(last.attempt, jitter)
    if not waited(last.recorded_at, now, waits_s):
        return None
    return Owed(occasion, last.alert_id, Severity(last.severity), last.attempt + 1)


def claims(notice: Notice, fired_at: datetime, cooldown_s: float) -> list[Notice]:
    """What has to be accepted, all of it, before `notice` is sent.

    Two processes that give the same incident alerts of their own (both saw it before either knew) claim the same: the
    first claim is of a channel, a subject, a severity and of two halves of a cooldown, that in which the alert fired
    and the next. Within half a cooldown such claims overlap, and a cooldown later, when an alert may fire again, they
    do not.
    """
    if notice.occasion == Occasion.RESOLVED or notice.attempt > 1:
        return [notice]
    half_s = max(cooldown_s, 1.0) / 2
    first = int(fired_at.timestamp() // half_s)
    subject = (notice.channel, notice.subject, notice.severity)
    return [replace(notice, claim="\x1f".join((*subject, str(half)))) for half in (first, first + 1)]


def moot(told: Told, now: datetime, *, active: bool) -> bool:
    """Whether what is under way need not be told any more: it was over before anyone could be told of it."""
    last = told.under_way
    if active or told.fired is not None or last is None:
        return False
    return last.state != NoticeState.CLAIMED or waited(last.recorded_at, now, CLAIM_S)


def unended(told: Mapping[_Place, Told], notices: Iterable[Notice]) -> dict[_Place, Told]:
    """`told` without what `notices` say is over: by their times they are out of order where a clock was set back."""
    ends = (one for one in notices if one.occasion == Occasion.RESOLVED)
    over = {(one.channel, one.alert_id) for one in ends if one.state in (NoticeState.SENT, NoticeState.CLOSED)}
    held: dict[_Place, Told] = {}
    for place, (fired, under_way) in told.items():
        kept = Told(None if fired and (fired.channel, fired.alert_id) in over else fired, under_way)
        if kept:
            held[place] = kept
    return held


def waited(since: datetime, now: datetime, seconds: float) -> bool:
    """Whether so long has passed. What a clock stamped that was far ahead is waited for no longer: it may be hours."""
    passed_s = (now - since).total_seconds()
    return passed_s >= seconds or passed_s < -CLOCKS_APART_US / 1e6


def _ended(told: Told) -> bool:
    """Whether the incident that was told is over, though nobody could be told of that."""
    return told.under_way is not None and told.under_way.occasion == Occasion.RESOLVED


def _retry_s(attempt: int, jitter: float) -> float:
    return min(FIRST_RETRY_S * 2.0 ** (attempt - 1), LAST_RETRY_S) * (0.5 + jitter / 2)
