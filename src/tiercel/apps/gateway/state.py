"""What every endpoint needs, put together once per process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from tiercel import bootstrap
from tiercel.adapters.evaluation_files import Evaluations
from tiercel.apps.gateway.access import Access
from tiercel.apps.gateway.event_stream import EventStreams
from tiercel.apps.gateway.under_way import UnderWay
from tiercel.config.settings import AT_ONCE, Settings
from tiercel.core.statistics.fold import fold
from tiercel.domain.decision import Decision
from tiercel.domain.errors import StoreError
from tiercel.library.router import AsyncRouter
from tiercel.services.alerting.alerting import Alerting
from tiercel.services.alerting.drift import DriftWatching
from tiercel.services.alerting.notifying import Notifying, Outlet
from tiercel.services.assigning.assignments import Assignments
from tiercel.services.attending.signals import Signals
from tiercel.services.ids import new_feedback_id
from tiercel.services.rating.feedback_loop import FeedbackService
from tiercel.services.watching.advice import Advice
from tiercel.services.watching.pace import Pace
from tiercel.services.watching.performance import Performance

log = logging.getLogger("tiercel.gateway")

ALERT_CHECK_S = 5.0
TELL_S = 1.0
SETTLE_S = 1.0
GRACE_S = 5.0
"""How long chat completions under way may go on when the process is told to stop."""
FAREWELL_S = 2.0
NO_KEYS: Mapping[str, str] = MappingProxyType({})


class GatewayState:
    """The router (with its learner, intake and completions), its settings, and everything that reads what it learns.

    `keys` are those that `settings.keys` name, `outlets` the channels of `settings.notify`. Raises `InvalidInput` for
    settings that cannot be, `ConfigurationError` for a key that is missing, `StoreError` if the store cannot be read.
    """

    def __init__(
        self,
        router: AsyncRouter,
        settings: Settings,
        keys: Mapping[str, str] = NO_KEYS,
        outlets: Sequence[Outlet] = (),
    ) -> None:
        learner = router.learner
        self.router = router
        self.settings = settings
        self.access = Access(settings, keys, learner.clock)
        self.performance = Performance(learner)
        self.pace = Pace(learner)
        self.evaluations = Evaluations(settings.dashboard.evaluations)
        tiers = {model.model_id: model.tier for model in settings.models}
        self.alerting = Alerting(learner, settings.alerts, rules=settings.rules, tiers=tiers)
        self.notifying = Notifying(self.alerting, learner, outlets, jitter=bootstrap.jitter)
        self.drift = DriftWatching(learner, settings.drift)
        self.alerting.watch(self.drift.breaches)
        self.quality = FeedbackService(
            router.store,
            fold=fold,
            clock=learner.clock,
            new_id=new_feedback_id,
            tiers=settings.tiers,
            FEEDBACK_TTL=settings.store.retention_s,
            MIN_SAMPLES=settings.feedback.min_samples,
            QUALITY_THRESHOLD=settings.feedback.quality_threshold,
        )
        self.advice = Advice(self.quality, learner)
        self.assignments = Assignments(
            learner,
            agents=settings.agents,
            models=settings.models,
            tracker=self.performance,
            config=settings.adaptive,
            now=router.attendance.agents,
        )
        self.signals = Signals(learner, router.attendance)
        self.changes = router.changes
        self.gated = any(route.changes != AT_ONCE for route in settings.routes)
        self.judge_sources = settings.judge_sources
        self.streams = EventStreams(learner)
        self.calls = UnderWay()
        self.started_at = learner.clock.now()
        self.probe: asyncio.Future[Sequence[Decision]] | None = None
        self._watching: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Follow other processes, look for alerts and due changes every few seconds. Call it in an event loop."""
        self.router.learner.start()
        self.router.attendance.start()
        self._watching = [asyncio.create_task(self._watch())]
        # each by itself, so that a channel that is slow keeps no other waiting
        self._watching += [asyncio.create_task(self._tell(name)) for name in self.notifying.channels]

    def settle(self) -> None:
        """Wait (in a thread, not in the loop) until what happened so far is learned.

        For a second at most, and not while the store is away: then what is known is shown as far as it is known.
        """
        if not self.router.learner.degraded:
            with suppress(StoreError):
                self.router.learner.flush(SETTLE_S)

    def stop(self, grace_s: float = GRACE_S) -> None:
        """The process was told to stop: end the streams of events now, chat completions after `grace_s` seconds."""
        self.streams.close()
        asyncio.get_running_loop().call_later(grace_s, self.calls.end)

    async def close(self) -> None:
        """End what is under way, close the connections, commit what is buffered and close the store; idempotent."""
        for task in self._watching:
            task.cancel()
        self.streams.close()
        self.calls.end()
        await self.calls.wait(FAREWELL_S)
        await asyncio.to_thread(self.notifying.close)
        self.alerting.close()
        self.pace.close()
        self.drift.close()
        await self.router.close()

    async def _tell(self, channel: str) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            try:
                await asyncio.to_thread(self.notifying.tell, channel)
            except Exception:
                # a fault of ours in one message must not end all that follow
                log.exception("telling the channel %s failed by a fault of tiercel", channel)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(ALERT_CHECK_S)
            for look in (self.alerting.check, self.changes.check):
                try:
                    await asyncio.to_thread(look)
                except Exception:
                    # a fault of ours in one check must not end all that follow
                    log.exception("%s failed by a fault of tiercel", look.__qualname__)
