"""`Router` and `AsyncRouter`: decide, and report what came of it.

Both share one core; they differ only in how a caller waits for the log: a thread waits, a task awaits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from tiercel import bootstrap
from tiercel.config.settings import DEFAULT_POLICY, RouteSettings, Settings, StoreSettings
from tiercel.core.draws import Uniform, seeded
from tiercel.core.policies.base import Policy
from tiercel.domain.catalogue import DEFAULT_TIERS, Agent, ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.errors import Conflict, InvalidInput, ProviderRejected
from tiercel.domain.names import figures_problems, name_problem, names_problems
from tiercel.domain.request import RequestContext
from tiercel.library.agents import WithAgents
from tiercel.library.approving import Approving, AsyncApproving, WithChanges
from tiercel.ports import Clock, Provider, Store, Telemetry
from tiercel.services.attending.attendance import Attendance
from tiercel.services.completion import Completion, Completions, build_completions
from tiercel.services.delivering.pending import Pending, awaiting, waiting
from tiercel.services.delivering.receipts import Receipt
from tiercel.services.judging.judged_answers import JudgeCounts
from tiercel.services.rating.intake import FeedbackIntake, FeedbackRequest, outcome_problems


class _Routing(WithAgents, WithChanges):
    """What both routers have in common: the wiring, and everything that does not wait.

    `models` and the rest describe a router in code; `settings` (see `from_config`) takes their place. `seed` makes the
    draws reproducible. `outbox` is a file for what the store has not got while it is away: True is one in the working
    directory where the store is a server, and none elsewhere; False is none. A `store` given open is closed with the
    router, and so are `providers` that were called.
    """

    def __init__(
        self,
        models: Sequence[ModelProfile] = (),
        *,
        policy: str | Policy = DEFAULT_POLICY,
        store: str | Store = "memory://",
        outbox: str | bool = True,
        tiers: Sequence[str] = DEFAULT_TIERS,
        agents: Sequence[Agent] = (),
        settings: Settings | None = None,
        clock: Clock = bootstrap.SYSTEM_CLOCK,
        seed: int | None = None,
        uniform: Uniform | None = None,
        providers: Mapping[str, Provider] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        if uniform is None and seed is not None:
            uniform = seeded(seed)
        if settings is None:
            url = store if isinstance(store, str) else store.url
            settings = Settings(
                store=StoreSettings(url=url, outbox=outbox),
                models=tuple(models),
                tiers=tuple(tiers),
                agents=tuple(agents),
            )
        default = RouteSettings(policy=policy) if isinstance(policy, str) else RouteSettings()
        self.settings = settings
        self.store = bootstrap.open_store(store) if isinstance(store, str) else store
        self.learner = bootstrap.build_learner(self.store, settings, clock=clock)
        own = None if isinstance(policy, str) else policy
        self.core = bootstrap.build_router(settings, self.learner, uniform=uniform, default=default, policy=own)
        self.telemetry = telemetry
        retention_s = settings.store.retention_s
        self.intake = FeedbackIntake(self.core, self.learner, retention_s=retention_s, telemetry=telemetry)
        self.attendance = Attendance(self.learner, self.store.presence, settings.agents)
        self.judge_counts = JudgeCounts()
        self._providers = providers
        self._completions: Completions | None = None
        if self.learner.degraded:  # look for the store, and deliver what a process before this one could not
            self.learner.start()

    @classmethod
    def from_config(cls, path: str | Path, **overrides: Any) -> Self:  # noqa: ANN401 - the constructor types them
        """A router as a tiercel.toml describes it. Raises `ConfigurationError` with every problem of the file."""
        settings = bootstrap.load_settings(Path(path))
        built = {} if "telemetry" in overrides else {"telemetry": bootstrap.build_telemetry(settings)}
        return cls(**{"settings": settings, "store": settings.store.url, **built, **overrides})

    def decide(
        self,
        workflow: str = "",
        stage: str = "",
        *,
        prompt: str = "",
        requires: Sequence[str] = (),
        prefers: Sequence[str] = (),
        require_all: bool = False,
        agent_id: str = "",
        session_id: str = "",
        prompt_tokens: int = 0,
        features: Mapping[str, float] | None = None,
        request_id: str = "",
    ) -> Decision:
        """Choose a model for one request. Reads memory only: it never waits for the store.

        `requires` and `prefers` are capabilities, at most 64 of each. `features` are figures of your own, of which
        a policy that reads requests reads those the route names. `request_id` makes the draw reproducible under a seed.
        Raises `NoEligibleModel`, `InvalidInput`.
        """
        names = {"workflow": workflow, "stage": stage, "agent_id": agent_id, "session_id": session_id}
        problems = [problem for name, value in names.items() if value and (problem := name_problem(name, value))]
        problems += [*names_problems("requires", requires), *names_problems("prefers", prefers)]
        problems += figures_problems("features", features or {})
        if problems:
            raise InvalidInput(problems)
        request = RequestContext(
            workflow=workflow,
            stage=stage,
            agent_id=agent_id,
            session_id=session_id,
            requires=tuple(requires),
            prefers=tuple(prefers),
            require_all=require_all,
            prompt_tokens=prompt_tokens,
            prompt=prompt,
            features=dict(features or {}),
        )
        return self.core.decide(request, request_id=request_id)

    def begin_outcome(
        self,
        decision_id: str,
        *,
        success: bool,
        latency_ms: float,
        model: str = "",
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost_usd: float | None = None,
        first_token_ms: float | None = None,
        error: str = "",
        completion_id: str = "",
    ) -> Pending[None]:
        """Report what the model call did; done when it is durable, in the store or (while that is away) in the outbox.

        `cost_usd` is computed from the tokens and the catalogue's price where it is None. `model` names the model that
        was called where it is not the decision's. Raises `UnknownDecision`, `UnknownModel`, `InvalidInput`.
        """
        problems = outcome_problems(latency_ms, prompt_tokens, completion_tokens, cost_usd)
        if problems:
            raise InvalidInput(problems)
        decision, _, _ = self.core.find(decision_id)
        outcome = self.core.outcome(
            decision,
            success=success,
            latency_ms=latency_ms,
            model=model,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cost_usd,
            first_token_ms=first_token_ms,
            error=error,
            completion_id=completion_id,
        )
        return Pending(self.learner.send(outcome), lambda _: None)

    def begin_feedback(
        self,
        decision_id: str,
        quality: float,
        *,
        source: str = "",
        metadata: Mapping[str, Any] | None = None,
        id: str = "",  # noqa: A002 - the published name
        given_at: datetime | None = None,
    ) -> Pending[str]:
        """Rate a decision's answer with a quality in 0..1; gives the feedback id once it is durable, as an outcome is.

        The same `id` again has no second effect; the same `source` again revises its rating.
        Raises `InvalidInput`, `UnknownDecision`, `Conflict` when `id` was used for other content.
        """
        request = FeedbackRequest(
            decision_id=decision_id,
            quality=quality,
            source=source,
            metadata=metadata or {},
            id=id,
            given_at=given_at,
        )
        events, receipt = self.intake.send([request])
        return Pending(receipt, partial(_acknowledge, events[0].id))

    async def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        workflow: str = "",
        stage: str = "",
        **options: Any,  # noqa: ANN401 - whatever the upstream takes
    ) -> Completion:
        """Ask a model the policy chooses, through the configured providers, and record what the call did.

        Where the route has a judge, it grades its share of the answers in the background of the running event loop.
        `options` go upstream as they are (temperature, tools ...); for streams use the gateway.
        Raises `NoEligibleModel`, `AllModelsFailed`, `InvalidInput`, and `ProviderRejected` for a request the
        upstream refuses.
        """
        body = {"messages": list(messages), **options}
        if body.get("stream"):
            raise InvalidInput("complete() does not stream: use the gateway, or decide() and your own client")
        request = RequestContext(workflow=workflow, stage=stage)
        answer = await self.completions.open(body, request)
        content = b"".join([chunk async for chunk in answer.body])
        if answer.status >= 400:
            raise ProviderRejected(answer.status, content)
        return Completion(answer.decision, answer.model.model_id, json.loads(content))

    @property
    def completions(self) -> Completions:
        """Calls through the configured providers; connections are opened with the first."""
        if self._completions is None:
            providers = self._providers if self._providers is not None else bootstrap.build_providers(self.settings)
            self._completions = build_completions(
                self.core,
                providers,
                self.intake,
                counts=self.judge_counts,
                timeout_s=self.settings.server.timeout_s,
                telemetry=self.telemetry,
            )
        return self._completions

    def _close(self) -> None:
        self.attendance.close()
        self.learner.close()
        self.store.close()
        if self.telemetry is not None:
            self.telemetry.close()


def _looks_up(router: _Routing, decision_id: str, *_: object, **__: object) -> bool:
    """Whether the store has to be asked for a decision: it was made by another process, or long ago."""
    return not router.core.remembers(decision_id)


class Router(Approving, _Routing):
    """Chooses models and learns from what came of it, for threads.

    The default store forgets with the process; give `store="sqlite:///tiercel.db"` to keep what is learned.
    """

    record_outcome = waiting(_Routing.begin_outcome)
    record_feedback = waiting(_Routing.begin_feedback)

    def close(self) -> None:
        """Close the providers' connections, commit what is buffered and close the store; idempotent."""
        if self._completions is not None:
            # in a thread of its own: here a loop may be running, the one complete() ran in or another
            with ThreadPoolExecutor(1) as closing:
                closing.submit(asyncio.run, self._completions.close()).result()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncRouter(AsyncApproving, _Routing):
    """The same for tasks: what waits for the log is awaited."""

    record_outcome = awaiting(_Routing.begin_outcome, _looks_up)
    record_feedback = awaiting(_Routing.begin_feedback, _looks_up)

    async def close(self) -> None:
        """Close the providers' connections, commit what is buffered and close the store; idempotent."""
        if self._completions is not None:
            await self._completions.close()
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _acknowledge(feedback_id: str, receipt: Receipt) -> str:
    if receipt.conflicts:
        raise Conflict(feedback_id)
    return feedback_id
