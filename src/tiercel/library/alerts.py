"""`AlertManager`: what is wrong with the models, by fixed thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from tiercel.domain.alert_rule import AlertRule
from tiercel.domain.alerts import AlertThresholds
from tiercel.ports import Clock
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.watching.performance import Performance


class AlertManager(Alerting):
    """Checks what `tracker` saw against `thresholds`; `check()` as often as alerts are wanted, every few seconds.

    `rules` are looked at beside the thresholds. `clock` times cooldowns and alerts, by default the tracker's. Fired and
    resolved alerts are logged in the tracker's store; closing the tracker commits them. Raises `StoreError` if the
    history cannot be read.
    """

    def __init__(
        self,
        tracker: Performance,
        thresholds: AlertThresholds | None = None,
        *,
        clock: Clock | None = None,
        rules: Sequence[AlertRule] = (),
    ) -> None:
        super().__init__(tracker.learner, thresholds, clock=clock, rules=rules)
        self.tracker = tracker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
