"""Telemetry grows with nothing, and keeps nobody waiting."""

from __future__ import annotations

import threading

import pytest

from support.happenings import decision, outcome
from support.in_process import SMALL
from support.told_telemetry import ToldTelemetry
from tiercel.adapters.otel import OTHER, REMEMBERED, RESPONSE_MODELS


def test_calls_are_remembered_in_bounds() -> None:
    told = ToldTelemetry()
    span = told.telemetry._tracer.start_span("x").get_span_context()
    for number in range(REMEMBERED + 5):
        told.telemetry.remember(f"dec_{number}", span, "")
    assert len(told.telemetry._answered) == REMEMBERED
    assert "dec_4" not in told.telemetry._answered


def test_an_upstream_that_makes_up_names_makes_no_endless_series() -> None:
    told = ToldTelemetry()
    for number in range(2 * RESPONSE_MODELS):
        call = told.telemetry.call(decision(number), SMALL, parent={}, stream=False)
        call.ended(outcome(number), response_model=f"made-up-{number}")
    points = told.points()["gen_ai.client.operation.duration"]
    named = {(point.attributes or {})["gen_ai.response.model"] for point in points}
    assert len(named) == RESPONSE_MODELS + 1
    assert {"made-up-0", OTHER} <= named


def test_a_collector_that_takes_nothing_keeps_no_process_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    never, told = threading.Event(), ToldTelemetry(farewell_s=0.05)
    told.stuck(never)
    told.telemetry.close()
    told.telemetry.close()
    never.set()
    assert caplog.messages == ["telemetry was not sent to its end: the collector took more than 0.05 s"]
