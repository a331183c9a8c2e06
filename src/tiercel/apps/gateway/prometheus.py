"""The figures in Prometheus's text format, version 0.0.4; every metric is described in docs/metrics.md.

Labels are the catalogue's models and tiers, and the three statuses of agents: the number of series does not grow with
use, and not without bound with the catalogue. Figures of models come from the learned state: they outlive the process,
and are the same in every process that shares its store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from tiercel.apps.gateway.state import GatewayState
from tiercel.core.statistics.fold import model_key
from tiercel.core.statistics.knowledge import Knowledge
from tiercel.core.statistics.sums import NANO, NANO_PER_MS, Sums, total
from tiercel.domain.catalogue import AgentStatus, Catalogue
from tiercel.domain.changes import ChangeStatus
from tiercel.services.alerting.notifying import ChannelStatus
from tiercel.services.delivering.receipts import CommitStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WINDOW_S = 3600.0
"""What quantiles and means look back on."""
QUANTILES = (0.5, 0.95, 0.99)
MAX_MODELS = 1_000
"""Models that have series of their own; those after them in the catalogue are counted together, as `OTHER`."""
OTHER = "_other"

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]
"""What follows the metric's name, its labels, its value."""


@dataclass(frozen=True, slots=True)
class ModelSums:
    """A model's labels, what is known of it over all time, and of the window."""

    labels: Labels
    ever: Sums
    lately: Sums


@dataclass(frozen=True, slots=True)
class ModelMetric:
    """One figure of every model; no sample where it is None."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: Callable[[ModelSums], float | None]


@dataclass(frozen=True, slots=True)
class ProcessMetric:
    """One figure of this process."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: Callable[[GatewayState, CommitStatus], float]


@dataclass(frozen=True, slots=True)
class ChannelMetric:
    """One figure of every channel that people are told on."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: Callable[[ChannelStatus], int]


LATENCY = "tiercel_call_latency_seconds"
INFO = "tiercel_build_info"
AGENTS = "tiercel_agents"
MODEL_METRICS: Sequence[ModelMetric] = (
    ModelMetric("tiercel_calls_total", "counter", "Model calls.", lambda m: m.ever.requests),
    ModelMetric("tiercel_call_failures_total", "counter", "Model calls that failed.", lambda m: m.ever.failures),
    ModelMetric(
        "tiercel_prompt_tokens_total",
        "counter",
        "Prompt tokens of the calls that report them.",
        lambda m: m.ever.prompt_tokens,
    ),
    ModelMetric(
        "tiercel_completion_tokens_total",
        "counter",
        "Completion tokens of the calls that report them.",
        lambda m: m.ever.completion_tokens,
    ),
    ModelMetric(
        "tiercel_cost_usd_total",
        "counter",
        "Cost of the calls whose price is known, in USD.",
        lambda m: m.ever.cost_nano / NANO,
    ),
    ModelMetric("tiercel_feedback_total", "counter", "Ratings in force.", lambda m: m.ever.ratings),
    ModelMetric(
        "tiercel_success_ratio",
        "gauge",
        "Share of the calls of the last hour that succeeded.",
        lambda m: m.lately.success_rate,
    ),
    ModelMetric(
        "tiercel_quality_mean",
        "gauge",
        "Mean quality of the ratings of the last hour.",
        lambda m: m.lately.mean_quality,
    ),
)
JUDGE_METRICS: Sequence[ProcessMetric] = (
    ProcessMetric(
        "tiercel_judge_drawn_total",
        "counter",
        "Decisions whose answers a judge was to grade.",
        lambda s, _: s.router.judge_counts.drawn,
    ),
    ProcessMetric(
        "tiercel_judge_grades_total",
        "counter",
        "Answers a judge has graded.",
        lambda s, _: s.router.judge_counts.graded,
    ),
    ProcessMetric(
        "tiercel_judge_unanswered_total",
        "counter",
        "Of those drawn, the ones without a whole answer to grade.",
        lambda s, _: s.router.judge_counts.unanswered,
    ),
    ProcessMetric(
        "tiercel_judge_dropped_total",
        "counter",
        "Of those drawn, the ones no judge was asked about: too many, too long, or the store away.",
        lambda s, _: s.router.judge_counts.dropped,
    ),
    ProcessMetric(
        "tiercel_judge_failures_total",
        "counter",
        "Of those drawn, the ones whose judge gave no grade.",
        lambda s, _: s.router.judge_counts.failed,
    ),
    ProcessMetric(
        "tiercel_judge_unparsable_total",
        "counter",
        "Judges' replies without a grade.",
        lambda s, _: s.router.judge_counts.unparsable,
    ),
    ProcessMetric(
        "tiercel_judge_under_way",
        "gauge",
        "Answers drawn that are being sent, wait for a judge, or are being graded.",
        lambda s, _: s.router.judge_counts.under_way,
    ),
)
PROCESS_METRICS: Sequence[ProcessMetric] = (
    ProcessMetric("tiercel_store_up", "gauge", "1 while the store answers.", lambda _, way: float(not way.degraded)),
    ProcessMetric(
        "tiercel_buffered_events",
        "gauge",
        "Events that wait in memory for the store.",
        lambda _, way: way.buffered,
    ),
    ProcessMetric(
        "tiercel_outbox_events",
        "gauge",
        "Events in the outbox, which a store that was away has not got.",
        lambda _, way: way.kept,
    ),
    ProcessMetric(
        "tiercel_outbox_limit_events",
        "gauge",
        "How many events the outbox takes; 0 without one.",
        lambda _, way: way.keeps_at_most,
    ),
    ProcessMetric(
        "tiercel_outbox_kept_events_total",
        "counter",
        "Events that went into the outbox.",
        lambda _, way: way.ever_kept,
    ),
    ProcessMetric(
        "tiercel_committed_events_total", "counter", "Events this process has committed.", lambda _, way: way.committed
    ),
    ProcessMetric(
        "tiercel_dropped_events_total",
        "counter",
        "Events this process has lost: the buffer was full or the store refused them.",
        lambda _, way: way.dropped,
    ),
    *JUDGE_METRICS,
    ProcessMetric(
        "tiercel_drift_open",
        "gauge",
        "Metrics of models that drifted and are neither back nor settled.",
        lambda s, _: len(s.drift.open),
    ),
    ProcessMetric(
        "tiercel_drift_found_total", "counter", "Drifts this process has found.", lambda s, _: s.drift.found.total()
    ),
    ProcessMetric(
        "tiercel_alert_check_seconds",
        "gauge",
        "How long looking for alerts took the last time.",
        lambda s, _: s.alerting.check_s,
    ),
    ProcessMetric("tiercel_alerts_active", "gauge", "Alerts that are active.", lambda s, _: len(s.alerting.active)),
    ProcessMetric(
        "tiercel_approvals_pending",
        "gauge",
        "Changes that wait for a human's yes.",
        lambda s, _: s.changes.count(ChangeStatus.PENDING),
    ),
    ProcessMetric(
        "tiercel_rollouts_running",
        "gauge",
        "Changes that are being rolled out.",
        lambda s, _: s.changes.count(ChangeStatus.ROLLING),
    ),
    ProcessMetric("tiercel_event_streams", "gauge", "Clients that follow /v1/events.", lambda s, _: len(s.streams)),
    ProcessMetric(
        "tiercel_event_stream_dropped_total",
        "counter",
        "Events that clients of /v1/events were too slow for.",
        lambda s, _: s.streams.dropped,
    ),
)

CHANNEL_METRICS: Sequence[ChannelMetric] = (
    ChannelMetric("tiercel_notices_sent_total", "counter", "Messages a channel took.", lambda c: c.sent),
    ChannelMetric("tiercel_notice_failures_total", "counter", "Messages a channel did not take.", lambda c: c.failed),
    ChannelMetric(
        "tiercel_notices_given_up_total", "counter", "Notices that are not tried any more.", lambda c: c.given_up
    ),
    ChannelMetric("tiercel_notices_waiting", "gauge", "Notices a channel is to be told next.", lambda c: c.waiting),
)


def exposition(state: GatewayState) -> str:
    """Everything, as Prometheus scrapes it."""
    knowledge, now_s = state.router.learner.knowledge, state.router.learner.clock.now().timestamp()
    models = _models(state.router.core.catalogue, knowledge, now_s)
    families = [_family(INFO, "gauge", "1, with the version.", [("", {"version": version("tiercel")}, 1.0)])]
    for metric in MODEL_METRICS:
        samples: list[Sample] = [("", m.labels, value) for m in models if (value := metric.value(m)) is not None]
        families.append(_family(metric.name, metric.kind, metric.help, samples))
    families.append(_family(LATENCY, "summary", _LATENCY_HELP, [sample for m in models for sample in _latency(m)]))
    online = Counter(str(agent.status) for agent in state.router.attendance.states())
    agents = [("", {"status": str(status)}, float(online[status])) for status in AgentStatus]
    families.append(_family(AGENTS, "gauge", "Configured agents by their status.", agents))
    way = state.router.learner.status()
    families += [_family(p.name, p.kind, p.help, [("", {}, p.value(state, way))]) for p in PROCESS_METRICS]
    channels = state.notifying.status()
    for channel in CHANNEL_METRICS:
        told: list[Sample] = [("", {"channel": status.name}, float(channel.value(status))) for status in channels]
        families.append(_family(channel.name, channel.kind, channel.help, told))
    return "".join(families)


def _models(catalogue: Catalogue, knowledge: Knowledge, now_s: float) -> list[ModelSums]:
    """The models of the catalogue; what exceeds `MAX_MODELS` as one."""
    named: list[ModelSums] = []
    others: list[ModelSums] = []
    for number, model in enumerate(catalogue):
        key, labels = model_key(model.model_id), {"model": model.model_id, "tier": model.tier}
        of_model = ModelSums(labels, knowledge.sums(key), knowledge.sums(key, since_s=now_s - WINDOW_S))
        (named if number < MAX_MODELS else others).append(of_model)
    if others:
        labels = {"model": OTHER, "tier": OTHER}
        named.append(ModelSums(labels, total(m.ever for m in others), total(m.lately for m in others)))
    return named


_LATENCY_HELP = "Latency of successful calls; quantiles over the last hour, within 1 % of the value."


def _latency(model: ModelSums) -> list[Sample]:
    quantiles = ((q, model.lately.latency_quantile_ms(q)) for q in QUANTILES)
    return [
        *(("", {**model.labels, "quantile": f"{q:g}"}, ms / 1000) for q, ms in quantiles if ms is not None),
        ("_sum", model.labels, model.ever.latency_ns / NANO_PER_MS / 1000),
        ("_count", model.labels, model.ever.successes),
    ]


def _family(name: str, kind: str, text: str, samples: Sequence[Sample]) -> str:
    lines = [f"# HELP {name} {text}\n# TYPE {name} {kind}\n"]
    for suffix, labels, value in samples:
        listed = ",".join(f'{label}="{_escaped(told)}"' for label, told in labels.items())
        lines.append(f"{name}{suffix}{{{listed}}} {value!r}\n" if listed else f"{name}{suffix} {value!r}\n")
    return "".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
