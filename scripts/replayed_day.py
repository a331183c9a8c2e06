"""A past day of a gateway, in its store: the demo's prompts, with the quality, cost and latency recorded for them.

The clock is the only thing made up, and one incident: for two hours an eighth of the calls of one model fails.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tiercel import bootstrap
from tiercel.apps.demo.table import Prompt, latency_ms, prompts
from tiercel.config.settings import Settings
from tiercel.domain.decision import Decision
from tiercel.library.router import Router
from tiercel.services.alerting.alerting import Alerting
from tiercel.testing import ManualClock

DAY_S = 24 * 3600.0
FAILING = "mistral-large-2512"
INCIDENT = (0.4, 0.48)
"""The part of the requests during which an eighth of its calls fails."""
WORKFLOWS = ("assistant", "assistant", "tutor")
_RATED = 0.5
_FAILS = 0.12
_RATED_AFTER = 70
_CHECKED_EVERY = 150
_COMMITTED_EVERY = 400


def replay(config: Path, *, requests: int, end: datetime, seed: int = 0, span_s: float = DAY_S) -> None:
    """Put `requests` requests into the store of `config`, spread over `span_s` seconds before `end`."""
    settings = bootstrap.load_settings(config)
    clock = ManualClock(end - timedelta(seconds=span_s))
    with Router(settings=settings, store=_url(settings, config), clock=clock, seed=seed) as router:
        alerting = Alerting(router.learner, settings.alerts)
        _Day(router, clock, seed).run(alerting, requests, span_s)


def _url(settings: Settings, config: Path) -> str:
    return settings.store.url.replace("sqlite:///", f"sqlite:///{config.parent}/", 1)


class _Day:
    """Decides, calls and rates as the table says."""

    def __init__(self, router: Router, clock: ManualClock, seed: int) -> None:
        self._router = router
        self._clock = clock
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - reproducible is the purpose
        self._unrated: deque[tuple[Decision, float]] = deque()

    def run(self, alerting: Alerting, requests: int, span_s: float) -> None:
        asked = self._asked()
        for i, pause_s in enumerate(_pauses(requests, span_s)):
            self._clock.advance(pause_s)
            prompt = next(asked)
            self._call(prompt, WORKFLOWS[i % len(WORKFLOWS)], incident=INCIDENT[0] <= i / requests < INCIDENT[1])
            if len(self._unrated) > _RATED_AFTER:
                self._rate(*self._unrated.popleft())
            if i % _COMMITTED_EVERY == 0:
                self._router.learner.flush(60)
            if i % _CHECKED_EVERY == 0:
                alerting.check()
        self._router.learner.flush(60)

    def _asked(self) -> Iterator[Prompt]:
        table: Sequence[Prompt] = prompts()
        while True:
            yield from self._random.sample(table, len(table))

    def _call(self, prompt: Prompt, workflow: str, *, incident: bool) -> None:
        decision = self._router.decide(workflow, prompt.stage, prompt=prompt.text)
        recorded = prompt.recorded[decision.model]
        first_ms, total_ms = latency_ms(prompt, decision.model, self._seed)
        fails = incident and decision.model == FAILING and self._random.random() < _FAILS
        self._router.begin_outcome(
            decision.id,
            success=not fails,
            latency_ms=first_ms if fails else total_ms,
            first_token_ms=None if fails else first_ms,
            prompt_tokens=recorded.prompt_tokens,
            completion_tokens=None if fails else recorded.completion_tokens,
            cost_usd=0.0 if fails else recorded.cost_usd,
            error="status_503" if fails else "",
        )
        if not fails and self._random.random() < _RATED:
            self._unrated.append((decision, recorded.quality))

    def _rate(self, decision: Decision, quality: float) -> None:
        self._router.begin_feedback(decision.id, quality, source="judge")


def _pauses(requests: int, span_s: float) -> Iterator[float]:
    """The seconds between requests: few at night, many by day."""
    weights = [1 + 0.6 * math.sin(2 * math.pi * i / requests) for i in range(requests)]
    scale = span_s / math.fsum(weights)
    return (weight * scale for weight in weights)
