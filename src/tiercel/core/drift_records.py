"""Drift as it is logged and told: a shift as a standing change, and back; an open shift as a breach, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from tiercel.core.alerts.rules import Breach
from tiercel.core.beliefs.forgetting import METRICS, POLICIES, Metric, drift_place, place_of
from tiercel.core.beliefs.level import Span
from tiercel.core.beliefs.shift import Sample, Shift, State
from tiercel.core.statistics.fold import micros
from tiercel.domain.alerts import AlertKey, AlertType, Severity
from tiercel.domain.events import CLIENT_LEFT, Event, Feedback, Outcome, StandingChange

USUAL_PROMPT_TOKENS = 500
ANSWER_AS_PROMPT_TOKENS = 1_000
"""What an ordinary answer costs, in tokens of the prompt: some 250 tokens at four times the price."""
_ROSE: Mapping[bool, str] = MappingProxyType({True: "rose", False: "fell"})


def samples_of(event: Event) -> list[Sample]:
    """The figures of an event that are watched for drift.

    Latency in log ms and cost in log USD, of successful calls; the cost is that of a call with a prompt of 500 tokens:
    what was paid, divided by the tokens of its prompt and of an ordinary answer. Quality is that of ratings that count
    and are no revisions, beside what the policy expected of the answer.
    """
    if isinstance(event, Outcome):
        return _of_call(event) if event.success and event.error != CLIENT_LEFT else []
    if isinstance(event, Feedback) and event.model and event.label.weight and event.replaces is None:
        at_us, expected = micros(event.recorded_at), event.label.expected
        return [Sample(Metric.QUALITY, event.segment, event.model, at_us, event.quality, expected)]
    return []


def _of_call(call: Outcome) -> list[Sample]:
    at_us = micros(call.recorded_at)
    found = [Sample(Metric.LATENCY, call.segment, call.model, at_us, math.log(max(call.latency_ms, 1e-3)))]
    if call.cost_usd is not None and call.cost_usd > 0:
        prompt = USUAL_PROMPT_TOKENS if call.prompt_tokens is None else call.prompt_tokens
        size = (prompt + ANSWER_AS_PROMPT_TOKENS) / (USUAL_PROMPT_TOKENS + ANSWER_AS_PROMPT_TOKENS)
        found.append(Sample(Metric.COST, call.segment, call.model, at_us, math.log(call.cost_usd / size)))
    return found


def standing_of(shift: Shift, previous: str, revision: int) -> StandingChange:
    """The shift as it is logged. Equal in every process that found it by the same events after the same history."""
    return StandingChange(
        changed_at=datetime.fromtimestamp(shift.at_us / 1e6, UTC),
        segment=drift_place(shift.segment, shift.model_id),
        policy=POLICIES[shift.metric],
        previous=previous,
        current=shift.state,
        reason=in_words(shift),
        confidence=1.0,
        revision=revision,
        evidence={
            "size": shift.size,
            "before": list(shift.before),
            "after": list(shift.after),
            "samples": shift.samples,
            "since_us": shift.since_us,
            "turns": shift.turns,
        },
    )


def shift_of(standing: StandingChange) -> Shift:
    """The shift that a standing change tells of: the inverse of `standing_of`."""
    segment, model_id = place_of(standing)
    told: Mapping[str, Any] = standing.evidence
    return Shift(
        metric=METRICS[standing.policy],
        segment=segment,
        model_id=model_id,
        state=State(standing.current),
        size=float(told["size"]),
        before=_span(told["before"]),
        after=_span(told["after"]),
        samples=int(told["samples"]),
        since_us=int(told["since_us"]),
        at_us=micros(standing.changed_at),
        turns=int(told["turns"]),
    )


def key_of(shift: Shift) -> AlertKey:
    """What an alert of the shift is about."""
    return AlertKey(AlertType.DRIFT, shift.model_id, shift.segment, str(shift.metric))


def breach_of(shift: Shift) -> Breach:
    """What an open shift is as an alert: a warning where it is for the worse, else a piece of information."""
    worse = (shift.size > 0) is (shift.metric is not Metric.QUALITY)
    severity = Severity.WARNING if worse else Severity.INFO
    return Breach(
        severity, in_words(shift), _plain(shift.metric, shift.after.mean), _plain(shift.metric, shift.before.mean)
    )


def in_words(shift: Shift) -> str:
    """What changed, from what to what, and what says so."""
    metric, where = shift.metric, f" in {'/'.join(shift.segment[1:])}" if shift.segment else ""
    what = f"{metric.capitalize()} of {shift.model_id}{where}"
    before, after = _shown(metric, shift.before), _shown(metric, shift.after)
    since = datetime.fromtimestamp(shift.since_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    counted = f"{shift.samples} {'ratings' if metric is Metric.QUALITY else 'calls'}"
    if shift.state is State.BACK:
        return f"{what} is back at its level before, {before}: {counted} since {since}"
    if shift.state is State.SETTLED:
        return f"{what} is taken to be usual at {after}, no longer at {before}"
    return f"{what} {_ROSE[shift.size > 0]} from {before} to {after}: {counted} since {since}"


def _span(values: Any) -> Span:  # noqa: ANN401 - plain values of a log
    mean, low, high, samples = values
    return Span(float(mean), float(low), float(high), int(samples))


def _plain(metric: Metric, value: float) -> float:
    return value if metric is Metric.QUALITY else math.exp(min(value, 700.0))


def _shown(metric: Metric, span: Span) -> str:
    mean, low, high = (_plain(metric, value) for value in span[:3])
    match metric:
        case Metric.QUALITY:
            return f"{mean:.2f} ({max(low, 0.0):.2f} to {min(high, 1.0):.2f})"
        case Metric.LATENCY:
            return f"{mean:,.0f} ms ({low:,.0f} to {high:,.0f})"
        case Metric.COST:
            return f"${mean:.3g} a call (${low:.3g} to ${high:.3g})"
