"""Alerts: the learned state is checked against the thresholds; what fires and what resolves is logged as events.

The log is the history, so it outlives the process, and the cooldown holds over a restart. Processes that share a store
see each other's alerts; two that come to the same conclusion at the same time give the alert the same id, and the log
keeps one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from tiercel.core.alerts.rules import Alarm, Breach, no_models_breach, transition
from tiercel.core.alerts.watch import NO_TIERS, Watch
from tiercel.core.statistics.fold import micros
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import Alert, AlertKey, AlertThresholds, AlertType, Severity
from tiercel.domain.errors import InvalidInput, StoreUnavailable, UnknownAlert
from tiercel.domain.incident import Acknowledgement
from tiercel.domain.names import name_problem
from tiercel.ports import Appended, Clock
from tiercel.services.ids import new_alert_id
from tiercel.services.learning.learner import Learner

log = logging.getLogger("tiercel.alerts")

TRAIL_LIMIT = 10_000
"""How much of what was done about alerts is read at the start."""

BreachSource = Callable[[int], Mapping[AlertKey, Breach]]
"""What is breached at a time (microseconds since the epoch, of the learner's clock), by what it is about.

It is asked with every check, every few seconds, and gives all that is wrong then, not only what is new: what it no
longer gives is over once it was missing for `resolve_after_s`. Its keys are its own. It must be quick whatever the
history, and must not call the `Alerting` that asks it.
"""


class Alerting:
    """Watches what the learner knows. Thread-safe.

    How old calls are is told by the learner's clock, which stamped them; cooldowns and the alerts' own times by
    `clock`, by default the same. `rules` are the operator's own, `tiers` those of the catalogue's models by their ids.
    Raises `StoreError` if the history cannot be read. While the store is away that is no error: it is read with a later
    check.
    """

    def __init__(
        self,
        learner: Learner,
        thresholds: AlertThresholds | None = None,
        *,
        clock: Clock | None = None,
        rules: Sequence[AlertRule] = (),
        tiers: Mapping[str, str] = NO_TIERS,
    ) -> None:
        self.thresholds = thresholds or AlertThresholds()
        self.check_s = 0.0
        """How long the last check took."""
        self._watch = Watch(self.thresholds, rules, tiers)
        self._resolve_after_s = {rule.name: rule.resolve_after_s for rule in rules if rule.resolve_after_s is not None}
        self._learner = learner
        self._clock = clock or learner.clock
        self._lock = threading.Lock()
        self._sources: tuple[BreachSource, ...] = ()
        self._alarms: dict[AlertKey, Alarm] = {}
        self._active: dict[AlertKey, Alert] = {}
        self._history: dict[str, Alert] = {}
        self._acknowledged: dict[str, Acknowledgement] = {}
        self._told: set[str] = set()
        self._refused: Mapping[str, str] | None = None
        self._remembered = -1
        with self._lock:  # what is learned meanwhile waits for what was logged before it
            self._stop = learner.subscribe(self._learned)
            self._remember()

    @property
    def active(self) -> list[Alert]:
        """What is wrong now, the worst first and of those the newest."""
        with self._lock:
            return _worst_first(map(self._shown, self._active.values()))

    @property
    def history(self) -> list[Alert]:
        """The newest alerts, resolved or not, newest first; at most `history_limit`."""
        with self._lock:
            known = map(self._shown, self._history.values())
            return sorted(known, key=lambda alert: (alert.timestamp, alert.severity.rank, alert.id), reverse=True)

    def logged(self) -> dict[AlertKey, Alert | None]:
        """What is wrong now, by what it is about; None where the log, and so everyone else, has not got it yet."""
        with self._lock:
            return {key: None if alert.id in self._told else alert for key, alert in self._active.items()}

    def alert(self, alert_id: str) -> Alert:
        """The alert of that id. Raises `UnknownAlert` where it is not in the history."""
        with self._lock:
            known = self._history.get(alert_id)
            if known is None:
                raise UnknownAlert(alert_id)
            return self._shown(known)

    def acknowledge(self, alert_id: str, by: str, note: str = "", *, timeout_s: float | None = None) -> Alert:
        """Somebody takes care of an alert, active or not; the alert as it stands then.

        The first who says so has done it, of all who share the store: another's acknowledgement stays as it is, and so
        does one's own. Waits until that is in the log. Raises `InvalidInput` for a name that is none, `UnknownAlert`,
        `StoreError`.
        """
        wrong = [name_problem("by", by), name_problem("note", note) if note else None]
        problems = [problem for problem in wrong if problem is not None]
        if problems:
            raise InvalidInput(problems)
        if self.alert(alert_id).acknowledged_at is None:
            said = Acknowledgement(alert_id=alert_id, recorded_at=self._clock.now(), by=by, note=note)
            receipt = self._learner.record(said, timeout_s=timeout_s)
            if receipt.kept:
                # what the log will say is not known until the store is back
                with self._lock:
                    self._acknowledged.setdefault(alert_id, said)
        return self.alert(alert_id)

    def watch(self, source: BreachSource) -> None:
        """Ask `source` as well with every check: alerts of its breaches fire, escalate and resolve as all others do."""
        self._sources = (*self._sources, source)

    def check(self) -> list[Alert]:
        """Look once: the alerts that fire now, the worst first.

        Costs some tens of microseconds per model, and a few hundred per stage that was rated or called since the last
        look, whatever the history; see `Watch`. What fires or resolves is left with the learner to be logged; nothing
        waits for the store.
        """
        with self._lock:
            self._remember()
            now_us, begun_s = micros(self._learner.clock.now()), self._clock.monotonic_s()
            seen = self._watch.look(self._learner.knowledge, now_us)
            for source in self._sources:
                seen.update(source(now_us))
            refused, self._refused = self._refused, None
            if refused is not None:
                seen[AlertKey(AlertType.NO_MODELS_AVAILABLE)] = no_models_breach(refused)
            fired = [alert for key in tuple(self._alarms | seen) if (alert := self._step(key, seen.get(key)))]
            self.check_s = self._clock.monotonic_s() - begun_s
        return _worst_first(fired)

    def note_no_models(self, reasons: Mapping[str, str] = MappingProxyType({})) -> None:
        """A request could be served by no model, for these reasons by model id: an alert at the next check."""
        self._refused = reasons

    def close(self) -> None:
        """Stop following the learner; idempotent. The learner is not closed."""
        self._stop()

    def _remember(self) -> None:
        """Take over what the log says: at the start, and where the learner took the state over the log's events."""
        epoch = self._learner.knowledge.epoch
        if self._remembered == epoch:
            return
        try:
            # the log holds an alert at most twice
            logged = self._learner.store.recent_alerts(2 * int(self.thresholds.history_limit))
            trail = self._learner.store.alert_trail(TRAIL_LIMIT)
        except StoreUnavailable as error:
            log.warning("the alerts of before are not known yet: %s", error)
            return
        for alert in reversed(logged):
            self._adopt(alert)
        self._acknowledged |= {said.alert_id: said for said in trail if isinstance(said, Acknowledgement)}
        self._remembered = epoch

    def _step(self, key: AlertKey, breach: Breach | None) -> Alert | None:
        """Take one kind of alert from the last check to this one; the alert that fires."""
        now_us, cooldown_us = self._monotonic_us(), round(self.thresholds.cooldown_s * 1e6)
        alarm, fires, resolves = transition(
            self._alarms.get(key, Alarm()),
            breach.severity if breach else None,
            now_us,
            cooldown_us=cooldown_us,
            resolve_after_us=round(self._resolve_after_s.get(key.rule, self.thresholds.resolve_after_s) * 1e6),
        )
        if alarm.active is None and all(alarm.cooled(severity, now_us, cooldown_us) for severity in alarm.fired_at_us):
            self._alarms.pop(key, None)
        else:
            self._alarms[key] = alarm
        now = self._clock.now()
        over = self._active.pop(key) if resolves else None
        if over is not None:
            self._end(over, now, replaced=fires)
        if not (fires and breach):
            return None
        begun = self._begin(key, breach, now)
        if over is not None and over.severity.rank >= begun.severity.rank and over.alert_id in self._acknowledged:
            # the same incident, and no worse: whoever takes care of it still does
            said = replace(self._acknowledged[over.alert_id], alert_id=begun.alert_id)
            self._acknowledged[begun.alert_id] = said
            self._learner.leave(said)
        return begun

    def _begin(self, key: AlertKey, breach: Breach, now: datetime) -> Alert:
        alert = Alert(
            alert_id=self._new_id(key, breach.severity, now),
            timestamp=now,
            severity=breach.severity,
            message=breach.message,
            **key._asdict(),
            metric_value=breach.metric_value,
            threshold_value=breach.threshold_value,
        )
        self._active[key] = alert
        self._tell(alert)
        log.log(logging.getLevelNamesMapping()[alert.severity], "%s", alert.message)
        return alert

    def _end(self, alert: Alert, now: datetime, *, replaced: bool) -> None:
        over = alert.resolved(now)
        self._tell(over)
        if not replaced:
            lasted_s = max((now - over.timestamp).total_seconds(), 0.0)
            log.info("resolved after %.0f s: %s", lasted_s, over.message)

    def _tell(self, alert: Alert) -> None:
        self._keep(alert)
        if self._learner.leave(alert):
            self._told.add(alert.id)

    def _learned(self, learned: Appended) -> None:
        about_alerts = [event for event in learned.accepted if isinstance(event, Alert | Acknowledgement)]
        if about_alerts:
            with self._lock:
                for event in about_alerts:
                    if isinstance(event, Acknowledgement):
                        self._acknowledged[event.alert_id] = event
                    elif event.id in self._told:
                        self._told.remove(event.id)
                    else:
                        self._adopt(event)

    def _adopt(self, alert: Alert) -> None:
        """Take over what the log says of an alert: from before this process, or from another one."""
        known = self._history.get(alert.alert_id)
        if known is not None and (known.resolved_at is not None or alert.resolved_at is None):
            return
        self._keep(alert)
        alarm, stands = self._alarms.get(alert.key, Alarm()), self._active.get(alert.key)
        if alert.resolved_at is not None:
            if stands is not None and stands.alert_id == alert.alert_id:
                del self._active[alert.key]
                self._alarms[alert.key] = Alarm(None, alarm.breached_at_us, alarm.fired_at_us)
            return
        cooldown_s = self.thresholds.cooldown_s
        apart_s = abs((alert.timestamp - stands.timestamp).total_seconds()) if stands else cooldown_s
        if stands is not None and stands.severity == alert.severity and apart_s < cooldown_s:
            # two saw it before either knew of the other: for both of them the later stands, whichever was heard last
            other, alert = sorted((stands, alert), key=lambda one: (one.timestamp, one.alert_id))
            self._tell(other.resolved(alert.timestamp))
            stands = None
        if stands is not None and alert.timestamp < stands.timestamp:
            self._keep(alert.resolved(stands.timestamp))
            return
        # an alert of a clock that is ahead has not been active for a negative time
        age_us = max(0, micros(self._clock.now()) - micros(alert.timestamp))
        at_us = self._monotonic_us() - age_us
        fired_at_us = {**alarm.fired_at_us, alert.severity: max(at_us, alarm.fired_at_us.get(alert.severity, at_us))}
        self._alarms[alert.key] = Alarm(alert.severity, at_us, fired_at_us)
        self._active[alert.key] = alert
        if stands is not None:
            self._keep(stands.resolved(alert.timestamp))

    def _keep(self, alert: Alert) -> None:
        self._history[alert.alert_id] = alert
        if len(self._history) > self.thresholds.history_limit:
            oldest = next(iter(self._history))
            del self._history[oldest]
            self._acknowledged.pop(oldest, None)

    def _shown(self, alert: Alert) -> Alert:
        said = self._acknowledged.get(alert.alert_id)
        return alert if said is None else alert.acknowledged(said.recorded_at, said.by, said.note)

    def _new_id(self, key: AlertKey, severity: Severity, now: datetime) -> str:
        """The same in every process for the length of a cooldown, during which the same alert does not fire again."""
        slot = int(now.timestamp() // max(self.thresholds.cooldown_s, 1.0))
        subject = json.dumps([key, severity, slot])
        alert_id = f"alert_{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
        # known already: the clock was stepped back, or there is no cooldown
        return alert_id if alert_id not in self._history else new_alert_id()

    def _monotonic_us(self) -> int:
        return round(self._clock.monotonic_s() * 1e6)


def _worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda alert: (alert.severity.rank, alert.timestamp, alert.id), reverse=True)
