"""Telling people of incidents: once, however many processes watch, and again where it failed.

A process claims a notice before it sends it. The log accepts a claim once, so one process sends; see `claims`.

While the store is away nothing can be claimed, so nobody is told until it is back.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from tiercel.core.alerts.notice_state import CLAIM_S, MAX_ATTEMPTS, Owed, Told, claims, moot, owed, unended, waited
from tiercel.core.alerts.notice_text import message_id, words
from tiercel.domain.alerts import Alert, AlertKey, AlertType
from tiercel.domain.channel import Channel
from tiercel.domain.errors import NotifyFailed, StoreError, StoreUnavailable, UnknownAlert
from tiercel.domain.incident import Notice, NoticeState, Occasion
from tiercel.ports import Appended, Clock, Message, Notifier, Tiding
from tiercel.services.alerting.alerting import TRAIL_LIMIT, Alerting
from tiercel.services.delivering.backoff import no_jitter
from tiercel.services.learning.learner import Learner

log = logging.getLogger("tiercel.notify")

RECORD_S = 5.0
SETTLE_S = 5.0
"""How long after its end that is told."""
_Place = tuple[str, AlertKey]
_NOTHING = Told()


class Outlet(NamedTuple):
    """A channel and the way to it."""

    channel: Channel
    notifier: Notifier


@dataclass(slots=True)
class ChannelStatus:
    """What this process did on a channel, in messages; and what waits there. `error` is "" while messages are taken."""

    name: str
    sent: int = 0
    failed: int = 0
    given_up: int = 0
    waiting: int = 0
    error: str = ""


class Notifying:
    """Tells the channels of what `alerting` finds. Thread-safe; one thread at a time should `tell` a channel.

    Raises `StoreError` if what was told before cannot be read; while the store is away that is no error.
    """

    def __init__(
        self,
        alerting: Alerting,
        learner: Learner,
        outlets: Sequence[Outlet],
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = no_jitter,
    ) -> None:
        self._alerting = alerting
        self._learner = learner
        self._outlets = {outlet.channel.name: outlet for outlet in outlets}
        self._clock = clock or learner.clock
        self._jitter = {name: jitter() for name in self._outlets}
        self._lock = threading.Lock()
        self._told: dict[_Place, Told] = {}
        self._last_sent: dict[str, datetime] = {}
        self._refused: dict[str, dict[_Place, float]] = {name: {} for name in self._outlets}
        self._status = {name: ChannelStatus(name) for name in self._outlets}
        self._remembered = -1
        with self._lock:  # what is learned meanwhile waits for what was logged before it
            self._stop = learner.subscribe(self._learned)
            self._remember()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels' names."""
        return tuple(self._outlets)

    def status(self) -> list[ChannelStatus]:
        """How the channels are doing."""
        with self._lock:
            return [replace(status) for status in self._status.values()]

    def tell(self, name: str) -> int:
        """Tell a channel what it is owed now; how many messages it took.

        Takes as long as they take to be sent. What fails is tried again by a later call, of whichever process.
        """
        if self._learner.degraded:
            return 0
        outlet = self._outlets[name]
        now = self._clock.now()
        try:
            due = self._due(outlet.channel, now)
            self._status[name].waiting = len(due)
            last = self._last_sent.get(name)
            if not due or (last and not waited(last, now, outlet.channel.digest_s)):
                return 0
            together = len(due) > outlet.channel.digest_over or (outlet.channel.digest_s > 0 and len(due) > 1)
            batches = [due] if together else [{place: what} for place, what in due.items()]
            return sum(self._send(outlet, batch) for batch in batches)
        except StoreError as error:
            log.warning("channel %s: not claimed, it is tried again: %s", name, error)
            return 0

    def close(self) -> None:
        """Stop following the learner, and close the ways to the channels; idempotent."""
        self._stop()
        for outlet in self._outlets.values():
            outlet.notifier.close()

    def _due(self, channel: Channel, now: datetime) -> dict[_Place, Owed]:
        logged = self._alerting.logged()
        active = {key: alert for key, alert in logged.items() if alert is not None and channel.wants(alert)}
        with self._lock:
            self._remember()
            told = {place[1]: told for place, told in self._told.items() if place[0] == channel.name}
        ends = self._ends()
        due: dict[_Place, Owed] = {}
        closed: list[Notice] = []
        for key in {**told, **active}:
            if key in logged and logged[key] is None:
                continue  # an alert of it is on its way into the log
            known = told.get(key, _NOTHING)
            what = owed(known, active.get(key), now, jitter=self._jitter[channel.name])
            over = what is not None and what.occasion == Occasion.RESOLVED
            if over and key in ends and not waited(ends[key], now, SETTLE_S):
                continue  # that it goes on under a new alert may be learned a moment after its end
            if what is not None and over and not channel.resolve:
                closed.append(_notice(channel, key, what, now, NoticeState.CLOSED))
            elif what is not None:
                due[channel.name, key] = what
            elif moot(known, now, active=key in active):
                last = known.under_way
                closed += [replace(last, state=NoticeState.CLOSED, recorded_at=now, claim="")] if last else []
        if closed:
            self._learner.record(*closed, timeout_s=RECORD_S)
        return self._unblocked(channel, due)

    def _send(self, outlet: Outlet, due: Mapping[_Place, Owed]) -> int:
        won = self._claimed(outlet.channel, due)
        if not won:
            return 0
        now, status = self._clock.now(), self._status[outlet.channel.name]
        ends = self._ends()
        tidings = tuple(self._tiding(key, what, ends.get(key, now), now) for (_, key), what in won.items())
        title, body = words(outlet.channel, tidings, now)
        worst = max((tiding.alert.severity for tiding in tidings), key=lambda severity: severity.rank)
        message = Message(message_id(outlet.channel, tidings), title, body, worst, now, tidings)
        try:
            outlet.notifier.send(message)
        except NotifyFailed as failure:
            self._note_failed(status, won, failure.word)
            state, error = NoticeState.FAILED, failure.word
        else:
            status.sent, status.error = status.sent + 1, ""
            state, error = NoticeState.SENT, ""
        at = self._clock.now()
        said = [replace(_notice(outlet.channel, key, what, at, state), error=error) for (_, key), what in won.items()]
        if not self._learner.leave(*said):
            log.warning("channel %s: no room to say what was sent, it may be sent again", outlet.channel.name)
        with self._lock:
            for notice in said:  # the log says the same soon, and until then this process does not begin again
                self._fold(notice)
        return int(state == NoticeState.SENT)

    def _claimed(self, channel: Channel, due: Mapping[_Place, Owed]) -> dict[_Place, Owed]:
        """Those whose every claim is ours."""
        now = self._clock.now()
        active = self._alerting.logged()
        cooldown_s = self._alerting.thresholds.cooldown_s
        claimed: dict[_Place, Sequence[Notice]] = {}
        for place, what in due.items():
            alert, claim = active.get(place[1]), _notice(channel, place[1], what, now, NoticeState.CLAIMED)
            claimed[place] = claims(claim, alert.timestamp if alert else now, cooldown_s)
        receipt = self._learner.record(*(claim for some in claimed.values() for claim in some), timeout_s=RECORD_S)
        if receipt.kept:
            raise StoreUnavailable("the store is away")
        accepted = {event.id for event in receipt.accepted}
        won = {place: due[place] for place, some in claimed.items() if accepted.issuperset(one.id for one in some)}
        refused, now_s = self._refused[channel.name], self._clock.monotonic_s()
        self._refused[channel.name] = dict.fromkeys(claimed.keys() - won.keys(), now_s) | refused
        return won

    def _unblocked(self, channel: Channel, due: Mapping[_Place, Owed]) -> dict[_Place, Owed]:
        """Who was refused, and hears of nobody who sends, was refused for an older incident: the clock was set back."""
        first = {place for place, what in due.items() if what.occasion == Occasion.FIRED and what.attempt == 1}
        refused = {place: at_s for place, at_s in self._refused[channel.name].items() if place in first}
        self._refused[channel.name] = refused
        late_s = self._clock.monotonic_s() - CLAIM_S
        return {
            place: what._replace(attempt=2) if refused.get(place, math.inf) <= late_s else what
            for place, what in due.items()
        }

    def _tiding(self, key: AlertKey, what: Owed, ended_at: datetime, now: datetime) -> Tiding:
        """The alert that is told of. What was told first may be out of the history, or was replaced by a newer one."""
        try:
            alert = self._alerting.alert(what.alert_id)
        except UnknownAlert:
            message = f"{key.alert_type} of {key.model_id or '/'.join(key.segment[1:]) or 'all calls'}"
            alert = Alert(
                alert_id=what.alert_id,
                timestamp=now,
                severity=what.severity,
                alert_type=key.alert_type,
                message=message,
                model_id=key.model_id,
                segment=key.segment,
                rule=key.rule,
            )
        if what.occasion == Occasion.RESOLVED:
            alert = alert.resolved(ended_at)
        return Tiding(what.occasion, alert)

    def _ends(self) -> dict[AlertKey, datetime]:
        """When the last alert of each was over, as far as the history goes."""
        ends: dict[AlertKey, datetime] = {}
        for one in self._alerting.history:
            if one.resolved_at is not None:
                ends[one.key] = max(one.resolved_at, ends.get(one.key, one.resolved_at))
        return ends

    def _note_failed(self, status: ChannelStatus, won: Mapping[_Place, Owed], word: str) -> None:
        status.failed, status.error = status.failed + 1, word
        lost = sum(1 for what in won.values() if what.attempt >= MAX_ATTEMPTS)
        status.given_up += lost
        if lost:
            log.error("channel %s: %s; %d notices are given up", status.name, word, lost)
        else:
            log.warning("channel %s: %s; it is tried again", status.name, word)

    def _remember(self) -> None:
        """Take over what the log says: at the start, and where the learner took the state over the log's events."""
        epoch = self._learner.knowledge.epoch
        if self._remembered == epoch:
            return
        try:
            trail = self._learner.store.alert_trail(TRAIL_LIMIT)
        except StoreUnavailable as error:
            log.warning("what was told before is not known yet: %s", error)
            return
        self._told = {}
        notices = [event for event in reversed(trail) if isinstance(event, Notice)]
        for notice in notices:
            self._fold(notice)
        self._told = unended(self._told, notices)
        self._remembered = epoch

    def _learned(self, learned: Appended) -> None:
        notices = [event for event in learned.accepted if isinstance(event, Notice)]
        if notices:
            with self._lock:
                for notice in notices:
                    self._fold(notice)

    def _fold(self, notice: Notice) -> None:
        if notice.channel not in self._outlets:
            return
        place = (notice.channel, _key(notice.subject))
        told = self._told.get(place, _NOTHING).after(notice)
        if told:
            self._told[place] = told
        else:
            self._told.pop(place, None)
        if notice.state == NoticeState.SENT:
            at = notice.recorded_at
            self._last_sent[notice.channel] = max(at, self._last_sent.get(notice.channel, at))


def _notice(channel: Channel, key: AlertKey, what: Owed, now: datetime, state: NoticeState) -> Notice:
    return Notice(
        channel=channel.name,
        subject=json.dumps(key),
        alert_id=what.alert_id,
        severity=what.severity,
        occasion=what.occasion,
        recorded_at=now,
        state=state,
        attempt=what.attempt,
    )


def _key(subject: str) -> AlertKey:
    alert_type, model_id, segment, rule = json.loads(subject)
    return AlertKey(AlertType(alert_type), model_id, tuple(segment), rule)
