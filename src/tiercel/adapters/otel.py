"""Calls and ratings as OpenTelemetry's conventions for generative AI have them. Needs the extra `otel`.

    call    -> a span "chat MODEL" (kind client), its decision as attributes and an event; histograms of the call
    rating  -> an event "gen_ai.evaluation.result" in the span of the call that answered

What is sent is what stands here: names of the catalogue, workflows and stages, figures, and short words for errors.
No prompt, answer, user, agent, session, source or id that a caller made up is among it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from threading import Lock, Thread

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tiercel.domain.catalogue import ModelProfile
from tiercel.domain.decision import Decision
from tiercel.domain.events import CLIENT_LEFT, Feedback, Outcome

log = logging.getLogger("tiercel.telemetry")

SCOPE = "tiercel"
OPERATION = "chat"
EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "tiercel.quality"
DECISION = "tiercel.decision"
REMEMBERED = 10_000
"""Calls whose ratings are put into their traces; later ones name the decision only."""
RESPONSE_MODELS, OTHER = 200, "_other"
"""So many names that upstreams gave their models have series of their own; an upstream may make up one each time."""
FAREWELL_S = 3.0
"""So long a process that ends waits for what is left to be sent."""
_DURATIONS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))
_MS_PER_S = 1_000
_NS_PER_S = 1_000_000_000

Attributes = dict[str, str | int | float | bool]
Server = tuple[str, int]
"""Host and port of a provider."""


class OtelTelemetry:
    """Tells the given providers of OpenTelemetry; they are shut down with it. See `Telemetry`.

    `servers` are where the models' providers are. A provider's batches are made and sent by its own threads, and what
    it has no room for is dropped: nobody waits. `close` waits `farewell_s` at most.
    """

    def __init__(
        self,
        *,
        tracer: TracerProvider,
        meter: MeterProvider,
        logger: LoggerProvider,
        servers: Mapping[str, Server],
        farewell_s: float = FAREWELL_S,
    ) -> None:
        self._farewell_s = farewell_s
        own = version("tiercel")
        self._shutdowns: tuple[Callable[[], object], ...] = (tracer.shutdown, meter.shutdown, logger.shutdown)
        self._tracer = tracer.get_tracer(SCOPE, own)
        self._logger = logger.get_logger(SCOPE, own)
        self._servers = servers
        self._propagator = TraceContextTextMapPropagator()
        self._lock = Lock()
        self._answered: dict[str, tuple[SpanContext, str]] = {}
        self._response_models: set[str] = set()
        made = meter.get_meter(SCOPE, own)
        self.duration = made.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Duration of model calls.",
            explicit_bucket_boundaries_advisory=_DURATIONS_S,
        )
        self.tokens = made.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of model calls, as the upstream counted them.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.first_chunk = made.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to the first token of streamed answers.",
            explicit_bucket_boundaries_advisory=_DURATIONS_S,
        )

    def call(self, decision: Decision, model: ModelProfile, *, parent: Mapping[str, str], stream: bool) -> OtelCall:
        """See `Telemetry.call`; with `OtelCall.ended` about 0.15 ms."""
        # without a caller's trace this is a part of what the program itself is tracing, if it does
        context = self._propagator.extract(dict(parent), context=Context()) if parent else None
        asked = self._asked(model)
        span = self._tracer.start_span(
            f"{OPERATION} {model.upstream}",
            context=context,
            kind=SpanKind.CLIENT,
            attributes={**asked, **_decided(decision, model), "tiercel.stream": stream},
        )
        span.add_event(DECISION, _weighed(decision))
        headers: dict[str, str] = {}
        self._propagator.inject(headers, context=trace.set_span_in_context(span, context))
        return OtelCall(self, span, asked, headers)

    def rated(self, feedback: Feedback) -> None:
        """See `Telemetry.rated`."""
        attributes: Attributes = {
            "gen_ai.evaluation.name": EVALUATION_NAME,
            "gen_ai.evaluation.score.value": feedback.quality,
            "tiercel.tier": feedback.tier,
        }
        if feedback.model:
            attributes["tiercel.model"] = feedback.model
        context = None
        if feedback.decision_id:
            attributes["tiercel.decision.id"] = feedback.decision_id
            answered, response_id = self._answered.get(feedback.decision_id, (None, ""))
            if response_id:
                attributes["gen_ai.response.id"] = response_id
            if answered is not None:
                context = trace.set_span_in_context(NonRecordingSpan(answered), Context())
        self._logger.emit(
            timestamp=int(feedback.recorded_at.timestamp() * _NS_PER_S),
            context=context or Context(),
            severity_number=SeverityNumber.INFO,
            event_name=EVALUATION,
            attributes=attributes,
        )

    def remember(self, decision_id: str, span: SpanContext, response_id: str) -> None:
        """In which span a decision was answered, and with which id."""
        with self._lock:
            self._answered.pop(decision_id, None)
            self._answered[decision_id] = (span, response_id)
            if len(self._answered) > REMEMBERED:
                del self._answered[next(iter(self._answered))]

    def series_of(self, response_model: str) -> str:
        """What metrics call the model that answered."""
        known = self._response_models
        if response_model in known or len(known) < RESPONSE_MODELS:
            known.add(response_model)
            return response_model
        return OTHER

    def close(self) -> None:
        """See `Telemetry.close`."""
        shutdowns, self._shutdowns = self._shutdowns, ()
        # each in a thread that ends with the process: of a collector that is slow, the SDK waits for every batch
        ends = [Thread(target=_end, args=(end,), name="tiercel-telemetry-end", daemon=True) for end in shutdowns]
        for end in ends:
            end.start()
        deadline_s = time.monotonic() + self._farewell_s
        for end in ends:
            end.join(max(0.0, deadline_s - time.monotonic()))
        if any(end.is_alive() for end in ends):
            log.warning("telemetry was not sent to its end: the collector took more than %g s", self._farewell_s)

    def _asked(self, model: ModelProfile) -> Attributes:
        asked: Attributes = {
            "gen_ai.operation.name": OPERATION,
            "gen_ai.provider.name": model.provider or "unknown",
            "gen_ai.request.model": model.upstream,
        }
        server = self._servers.get(model.provider)
        if server is not None:
            asked["server.address"], asked["server.port"] = server
        return asked


class OtelCall:
    """See `CallTrace`."""

    def __init__(self, telemetry: OtelTelemetry, span: Span, asked: Attributes, headers: Mapping[str, str]) -> None:
        self._telemetry = telemetry
        self._span = span
        self._asked = asked
        self.headers = headers

    def ended(self, outcome: Outcome | None, *, status: int = 0, response_model: str = "") -> None:
        """See `CallTrace.ended`."""
        if outcome is None:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)
            self._span.end()
            return
        self._tell_span(outcome, response_model)
        self._telemetry.remember(outcome.decision_id, self._span.get_span_context(), outcome.completion_id)
        self._tell_metrics(outcome, response_model)
        self._span.end()

    def _tell_span(self, outcome: Outcome, response_model: str) -> None:
        facts: Attributes = {}
        if response_model:
            facts["gen_ai.response.model"] = response_model
        if outcome.completion_id:
            facts["gen_ai.response.id"] = outcome.completion_id
        for name, tokens in (("input", outcome.prompt_tokens), ("output", outcome.completion_tokens)):
            if tokens is not None:
                facts[f"gen_ai.usage.{name}_tokens"] = tokens
        facts["tiercel.usage_estimated"] = outcome.usage_estimated
        if outcome.cost_usd is not None:
            facts["tiercel.cost_usd"] = outcome.cost_usd
        if outcome.fallback_from:
            facts["tiercel.fallback_from"] = outcome.fallback_from
        if not outcome.success:
            facts["error.type"] = outcome.error
            self._span.set_status(StatusCode.ERROR, outcome.error)
        elif outcome.error == CLIENT_LEFT:
            facts["tiercel.client_left"] = True
        self._span.set_attributes(facts)

    def _tell_metrics(self, outcome: Outcome, response_model: str) -> None:
        about = dict(self._asked)
        if response_model:
            about["gen_ai.response.model"] = self._telemetry.series_of(response_model)
        failed = about if outcome.success else {**about, "error.type": outcome.error}
        in_span = trace.set_span_in_context(self._span)
        self._telemetry.duration.record(outcome.latency_ms / _MS_PER_S, failed, context=in_span)
        if outcome.first_token_ms is not None:
            self._telemetry.first_chunk.record(outcome.first_token_ms / _MS_PER_S, failed, context=in_span)
        if outcome.usage_estimated:
            return
        for name, tokens in (("input", outcome.prompt_tokens), ("output", outcome.completion_tokens)):
            if tokens is not None:
                self._telemetry.tokens.record(tokens, {**about, "gen_ai.token.type": name}, context=in_span)


def resource() -> Resource:
    """Who tells: tiercel and its version, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    own = Resource.create({"service.name": "tiercel", "service.version": version("tiercel")})
    return own.merge(OTELResourceDetector().detect())


def _end(shutdown: Callable[[], object]) -> None:
    try:
        shutdown()
    except Exception as error:  # noqa: BLE001 - telemetry that fails must not keep a process from ending well
        log.warning("telemetry was not sent to its end: %s", error)


def _decided(decision: Decision, model: ModelProfile) -> Attributes:
    decided: Attributes = {
        "tiercel.decision.id": decision.id,
        "tiercel.policy": decision.policy,
        "tiercel.propensity": decision.propensity,
        "tiercel.model": model.model_id,
        "tiercel.tier": model.tier,
        "tiercel.explored": decision.explored,
    }
    if decision.segment[0] == "stage":
        decided["tiercel.workflow"], decided["tiercel.stage"] = decision.segment[1:3]
    return decided


def _weighed(decision: Decision) -> Attributes:
    candidates = decision.proposal.candidates
    return {
        "tiercel.policy": decision.policy,
        "tiercel.policy.version": decision.policy_version,
        "tiercel.greedy": decision.greedy,
        "tiercel.candidates": len(candidates),
        "tiercel.excluded": sum(1 for candidate in candidates if candidate.excluded),
        "tiercel.degraded": decision.degraded,
    }
