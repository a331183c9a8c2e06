"""Telemetry into memory, by the real SDK."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from tiercel.adapters.otel import FAREWELL_S, OtelTelemetry, resource


class _Stuck(SpanProcessor):
    def __init__(self, until: threading.Event) -> None:
        self._until = until

    def shutdown(self) -> None:
        self._until.wait(30)


class ToldTelemetry:
    """What was told so far."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, *, farewell_s: float = FAREWELL_S) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self._metrics = InMemoryMetricReader()
        who = resource()
        tracer = TracerProvider(sampler=sampler, resource=who, shutdown_on_exit=False)
        tracer.add_span_processor(SimpleSpanProcessor(self._spans))
        logger = LoggerProvider(resource=who, shutdown_on_exit=False)
        logger.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        meter = MeterProvider([self._metrics], resource=who, shutdown_on_exit=False)
        self._tracer = tracer
        self.telemetry = OtelTelemetry(
            tracer=tracer,
            meter=meter,
            logger=logger,
            servers={"scripted": ("127.0.0.1", 9)},
            farewell_s=farewell_s,
        )

    def stuck(self, until: threading.Event) -> None:
        """Spans are not sent to their end before that."""
        self._tracer.add_span_processor(_Stuck(until))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    @property
    def events(self) -> list[ReadableLogRecord]:
        return list(self._logs.get_finished_logs())

    def points(self) -> dict[str, list[HistogramDataPoint]]:
        """The histograms by name."""
        data: Any = self._metrics.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: list(metric.data.data_points)
            for of_resource in data.resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }

    def everything(self) -> str:
        """All of it as text, to look for what must not be there."""
        spans = [span.to_json() for span in self.spans]
        logs = [record.to_json() for record in self.events]
        data: Any = self._metrics.get_metrics_data()
        return "\n".join([*spans, *logs, data.to_json() if data is not None else ""])
