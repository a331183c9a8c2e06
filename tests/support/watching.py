"""Processes that watch one store and tell of what they see."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from tiercel.core.statistics.fold import fold
from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.domain.channel import Channel
from tiercel.domain.errors import NotifyFailed
from tiercel.domain.events import Outcome
from tiercel.domain.request import Segment, stage_segment
from tiercel.ports import Clock, Message, Store
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.alerting.notifying import Notifying, Outlet
from tiercel.services.delivering.delivery import CommitSettings
from tiercel.services.learning.learner import Learner
from tiercel.testing import ManualClock

STAGE = stage_segment("review", "analysis")
_numbers = count()


class Heard:
    """A channel's other end: what arrived, unless it `refuses`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refuses = ""
        self.tried = 0

    def send(self, message: Message) -> None:
        self.tried += 1
        if self.refuses:
            raise NotifyFailed(self.refuses)
        self.messages.append(message)

    def close(self) -> None:
        pass

    @property
    def said(self) -> list[str]:
        """What was told, as "occasion severity type"."""
        return [
            f"{tiding.occasion} {tiding.alert.severity} {tiding.alert.alert_type}"
            for message in self.messages
            for tiding in message.tidings
        ]


class Watcher:
    """One process: it learns, looks for alerts, and tells a channel."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        heard: Heard,
        *,
        channel: Channel | None = None,
        thresholds: AlertThresholds | None = None,
        rules: tuple[AlertRule, ...] = (),
    ) -> None:
        self.channel = channel or Channel(name="chat")
        self.heard = heard
        self.learner = Learner(store, clock=clock, settings=CommitSettings(idle_s=0.01))
        self.alerting = Alerting(self.learner, thresholds, rules=rules)
        self.notifying = Notifying(self.alerting, self.learner, [Outlet(self.channel, heard)])

    def look(self) -> None:
        """Learn what the others logged, and look for alerts."""
        self.learner.catch_up()
        self.alerting.check()

    def tell(self) -> int:
        """Tell what is owed, and see to it that it is logged that this was done."""
        self.learner.flush(10)
        told = self.notifying.tell(self.channel.name)
        self.learner.flush(10)
        return told

    def close(self) -> None:
        self.notifying.close()
        self.alerting.close()
        self.learner.close()


def calls(
    store: Store,
    clock: ManualClock,
    number: int = 20,
    *,
    model: str = "small",
    segment: Segment = STAGE,
    success: bool = True,
    latency_ms: float = 100.0,
    **fields: object,
) -> None:
    """So many calls at once, logged by somebody else."""
    plain = Outcome(
        decision_id="",
        recorded_at=clock.now(),
        segment=segment,
        model=model,
        tier="cheap",
        success=success,
        latency_ms=latency_ms,
    )
    events = [replace(plain, decision_id=f"d{next(_numbers)}", **fields) for _ in range(number)]  # type: ignore[arg-type]
    store.append(events, fold)
