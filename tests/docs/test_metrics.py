"""docs/metrics.md says what /metrics has: every metric, its kind, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from tiercel.apps.gateway.prometheus import (
    AGENTS,
    CHANNEL_METRICS,
    INFO,
    LATENCY,
    MODEL_METRICS,
    PROCESS_METRICS,
    ChannelMetric,
    ModelMetric,
    ProcessMetric,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
METRICS: list[ModelMetric | ProcessMetric | ChannelMetric] = [*MODEL_METRICS, *PROCESS_METRICS, *CHANNEL_METRICS]


def test_every_metric_is_documented_with_its_kind() -> None:
    documented = dict(re.findall(r"^\| `(tiercel_\w+)` \| (\w+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    exposed = {metric.name: metric.kind for metric in METRICS}
    assert documented == {**exposed, INFO: "gauge", AGENTS: "gauge", LATENCY: "summary"}


def test_counters_are_named_as_counters() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
