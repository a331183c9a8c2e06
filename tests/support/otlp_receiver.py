"""A collector of the tests' own: takes OTLP over HTTP and keeps what it decoded."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MESSAGES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Receiver:
    """What came so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: list[dict[str, str]] = []
        self.raw = b""
        self._came = threading.Condition()
        self._messages: dict[str, list[Any]] = {path: [] for path in _MESSAGES}

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        with self._came:
            self.headers.append(headers)
            self.raw += body
            self._messages[path].append(_MESSAGES[path].FromString(body))
            self._came.notify_all()

    def wait(self, path: str, *, timeout_s: float = 20.0) -> None:
        """Until something came there."""
        with self._came:
            assert self._came.wait_for(lambda: self._messages[path], timeout_s), f"nothing came to {path}"

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for m in self._messages["/v1/traces"]
            for r in m.resource_spans
            for s in r.scope_spans
            for span in s.spans
        ]

    @property
    def records(self) -> list[Any]:
        return [
            log
            for m in self._messages["/v1/logs"]
            for r in m.resource_logs
            for s in r.scope_logs
            for log in s.log_records
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        return {
            metric.name: metric
            for m in self._messages["/v1/metrics"]
            for r in m.resource_metrics
            for s in r.scope_metrics
            for metric in s.metrics
        }


def plain(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf has no types
    """Attributes as Python has them."""
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    """A collector on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.take(self.path, dict(self.headers), body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
