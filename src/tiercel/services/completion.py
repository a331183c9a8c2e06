"""One chat completion from question to answer: decide, call, fall back once.

    Completions.open -> Answer (status, headers, first bytes known) -> Answer.body -> outcome recorded

Until the first byte has gone to the caller a failed call is followed by one to the next eligible model. From then on a
failure ends the answer, and is recorded once. A caller who leaves ends the upstream call; that is no failure of the
model. What becomes of each call is told in services/calling/model_call.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tiercel.core.chat_text import described
from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.errors import ProviderError
from tiercel.domain.request import RequestContext
from tiercel.ports import NO_HEADERS, ByteStream, Provider, Telemetry
from tiercel.services.calling.in_flight import InFlight
from tiercel.services.calling.model_call import Attempt, Begun, ModelCall
from tiercel.services.deciding.router import Router
from tiercel.services.deciding.routes import Plan
from tiercel.services.judging.judged_answers import JudgeCounts
from tiercel.services.judging.judging import Judging
from tiercel.services.rating.intake import FeedbackIntake


def build_completions(
    router: Router,
    providers: Mapping[str, Provider],
    intake: FeedbackIntake,
    *,
    counts: JudgeCounts,
    timeout_s: float,
    telemetry: Telemetry | None = None,
) -> Completions:
    """Calls whose answers the routes' judges grade, and of which `telemetry` is told."""
    judging = Judging(router, providers, intake, counts=counts, timeout_s=timeout_s)
    return Completions(router, providers, timeout_s=timeout_s, judging=judging, telemetry=telemetry)


class AllModelsFailed(ProviderError):
    """No model answered."""

    def __init__(self, decision: Decision, attempts: tuple[Attempt, ...]) -> None:
        self.decision = decision
        self.attempts = attempts
        listed = ", ".join(f"{attempt.model}: {attempt.error}" for attempt in attempts)
        super().__init__(f"no model answered ({listed})")

    @property
    def timed_out(self) -> bool:
        """Whether the last attempt ran out of time."""
        return bool(self.attempts) and self.attempts[-1].error == "timeout"


@dataclass(slots=True)
class Answer:
    """An upstream's answer under way. Iterate `body` to its end, or `aclose` it, for the outcome to be recorded."""

    decision: Decision
    model: ModelProfile
    status: int
    headers: Mapping[str, str]
    streaming: bool
    body: ByteStream
    attempts: tuple[Attempt, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole answer: the decision behind it, the model that answered, and the upstream's JSON."""

    decision: Decision
    model: str
    body: dict[str, Any]


class Completions:
    """Calls models on behalf of callers, and records what the calls did.

    With `judging`, a route's judge grades the share of its answers that the coin falls for. `in_flight` are the calls
    under way, the judges' among them.
    """

    def __init__(
        self,
        router: Router,
        providers: Mapping[str, Provider],
        *,
        timeout_s: float = 120.0,
        judging: Judging | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._router = router
        self._providers = providers
        self._timeout_s = timeout_s
        self._judging = judging
        self._telemetry = telemetry
        self.in_flight = InFlight() if judging is None else judging.in_flight

    async def open(
        self,
        body: dict[str, Any],
        request: RequestContext,
        *,
        requested_model: str = "",
        plan: Plan | None = None,
        request_id: str = "",
        parent: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """Decide and call until an answer has begun.

        `body` is the caller's request without what is tiercel's own; `requested_model` is a catalogue id, or "" to let
        the policy choose; `parent` are the caller's headers of trace context. An upstream's answer that the request is
        wrong (400, 413, 422 ...) is passed on with its body; the decision then has no outcome. Raises
        `NoEligibleModel`, `UnknownModel`, `AllModelsFailed`.
        """
        if requested_model:
            decision = self._router.requested(requested_model, request)
        else:
            may_judge = self._judging is not None
            described_request = described(request, body)
            decision = self._router.decide(described_request, request_id=request_id, plan=plan, may_judge=may_judge)
        judge = (plan or self._router.table.plan_of(request.segment)).route.judge if decision.will_judge else None
        if self._judging is None or judge is None:
            may_fall_back = not requested_model
            answer, _ = await self._first_answer(decision, body, request, parent, may_fall_back=may_fall_back)
            return answer
        with self._judging.drawn():
            answer, call = await self._first_answer(decision, body, request, parent, may_fall_back=True)
            answer.body = self._judging.follow(answer.body, call, judge, body["messages"], streaming=answer.streaming)
        return answer

    async def _first_answer(
        self,
        decision: Decision,
        body: dict[str, Any],
        request: RequestContext,
        parent: Mapping[str, str],
        *,
        may_fall_back: bool,
    ) -> tuple[Answer, ModelCall]:
        attempts: list[Attempt] = []
        telemetry, stream = self._telemetry, bool(body.get("stream"))
        for model in self._candidates(decision, may_fall_back=may_fall_back):
            call = ModelCall(
                self._router,
                decision,
                model,
                fallback_from=attempts[0].model if attempts else "",
                prompt_tokens=request.prompt_tokens,
                in_flight=self.in_flight,
                trace=None if telemetry is None else telemetry.call(decision, model, parent=parent, stream=stream),
            )
            provider = self._providers.get(model.provider)
            if provider is None:
                attempts.append(call.failed("no_provider"))
                continue
            begun = await call.begin(provider, body, self._timeout_s)
            if isinstance(begun, Begun):
                answer = Answer(
                    decision, model, begun.status, begun.headers, begun.streaming, begun.body, tuple(attempts)
                )
                return answer, call
            attempts.append(begun)
        raise AllModelsFailed(decision, tuple(attempts))

    def _candidates(self, decision: Decision, *, may_fall_back: bool) -> Iterator[ModelProfile]:
        """The chosen model, and when that has failed the one to fall back to: the nearest tier's best."""
        catalogue = self._router.catalogue
        yield catalogue[decision.model]
        others = [c for c in decision.proposal.candidates if not c.excluded and c.model_id != decision.model]
        if may_fall_back and others:
            ranks = {tier: rank for rank, tier in enumerate(catalogue.tiers)}
            here = ranks.get(decision.tier, 0)
            # nearest tier upwards first: a fallback must not answer worse where it can help it
            best = min(
                others,
                key=lambda c: (ranks.get(c.tier, 0) < here, abs(ranks.get(c.tier, 0) - here), -(c.score or 0.0)),
            )
            yield catalogue[best.model_id]

    async def close(self) -> None:
        """End what is being graded and close the providers' connections; idempotent. Any event loop will do."""
        if self._judging is not None:
            await self._judging.close()
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))
