"""OpenTelemetry over HTTP (OTLP), configured by arguments and, where those say nothing, by OTEL_* variables."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from tiercel.adapters.otel import OtelTelemetry, Server, resource

TIMEOUT_S = 5.0
"""For one request to the collector."""


def telemetry_over_http(
    *, endpoint: str, headers: Mapping[str, str], sample_share: float | None, servers: Mapping[str, Server]
) -> OtelTelemetry:
    """To a collector at `endpoint` ("": where OTEL_EXPORTER_OTLP_ENDPOINT says).

    `sample_share` of the traces that begin here are sent, and those that the caller samples; None leaves it to
    OTEL_TRACES_SAMPLER. `headers` go with every request to the collector.
    """
    who = resource()
    sampler = None if sample_share is None else ParentBased(TraceIdRatioBased(sample_share))
    tracer = TracerProvider(sampler=sampler, resource=who, shutdown_on_exit=False)
    given = dict(headers) or None

    def at(signal: str) -> str | None:
        return f"{endpoint.rstrip('/')}/v1/{signal}" if endpoint else None

    spans = OTLPSpanExporter(endpoint=at("traces"), headers=given, timeout=TIMEOUT_S)
    tracer.add_span_processor(BatchSpanProcessor(spans))
    metrics = OTLPMetricExporter(endpoint=at("metrics"), headers=given, timeout=TIMEOUT_S)
    meter = MeterProvider([PeriodicExportingMetricReader(metrics)], resource=who, shutdown_on_exit=False)
    logger = LoggerProvider(resource=who, shutdown_on_exit=False)
    logs = OTLPLogExporter(endpoint=at("logs"), headers=given, timeout=TIMEOUT_S)
    logger.add_log_record_processor(BatchLogRecordProcessor(logs))
    return OtelTelemetry(tracer=tracer, meter=meter, logger=logger, servers=servers)
