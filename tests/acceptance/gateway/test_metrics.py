"""GET /metrics as Prometheus reads it, and as its linter would judge it; how many series there can be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from support.happenings import feedback, outcome
from support.in_process import client, gateway_settings, gateway_state, model
from tiercel.apps.gateway import prometheus
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.request import stage_segment
from tiercel.testing import EPOCH, ManualClock

STRANGE = 'strange "model"\\ with: é, {braces}'
NOT_BASE = re.compile(r"milliseconds|_ms(_|$)|minutes|hours|kilobytes|megabytes|percent")
NAME = re.compile(r"tiercel(_[a-z0-9]+)+")


@pytest.fixture
def state() -> GatewayState:
    models = [model("small", "cheap"), model(STRANGE, "premium")]
    return gateway_state(settings=gateway_settings(models), clock=ManualClock())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def scraped(http: TestClient) -> tuple[str, Sequence[Metric]]:
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text, list(text_string_to_metric_families(answer.text))


def used(state: GatewayState, names: int = 1) -> None:
    """Calls and ratings of as many workflows, stages, agents and sources."""
    learner = state.router.learner
    for n in range(names):
        segment = stage_segment(f"workflow-{n}", f"stage-{n}")
        called = outcome(n, segment=segment, model=(STRANGE, "small")[n % 2], agent_id=f"agent-{n}", success=n % 3 > 0)
        learner.leave(called, feedback(f"f{n}", 0.5, segment=segment, model="small", source=f"user:{n}"))
    learner.flush()


def series(families: Sequence[Metric]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {(s.name, tuple(sorted(s.labels.items()))) for family in families for s in family.samples}


def test_the_parser_of_prometheus_reads_it_all(http: TestClient, state: GatewayState) -> None:
    used(state, 4)
    text, families = scraped(http)
    by_name = {family.name: family for family in families}
    calls = {s.labels["model"]: s.value for s in by_name["tiercel_calls"].samples}
    assert calls == {"small": 2, STRANGE: 2}
    latency = by_name["tiercel_call_latency_seconds"]
    assert latency.type == "summary"
    assert {s.labels.get("quantile") for s in latency.samples} == {None, "0.5", "0.95", "0.99"}
    statuses = {s.labels["status"]: s.value for s in by_name["tiercel_agents"].samples}
    assert statuses == {"online": 3, "offline": 0, "maintenance": 0}
    assert text.endswith("\n")
    assert len(series(families)) == sum(len(family.samples) for family in families), "no series twice"


def test_it_stands_up_to_the_rules_of_the_linter(http: TestClient, state: GatewayState) -> None:
    used(state, 4)
    text, families = scraped(http)
    helped = re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE)
    typed = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    assert [name for name, _ in helped] == [name for name, _ in typed]
    assert len({name for name, _ in typed}) == len(typed)
    for (name, kind), (_, said) in zip(typed, helped, strict=True):
        assert NAME.fullmatch(name), name
        assert said[0].isupper() or said[0].isdigit(), name
        assert said.endswith("."), name
        assert not NOT_BASE.search(name), f"{name} is in no base unit"
        assert name.endswith("_total") is (kind == "counter"), name
        assert not name.endswith(("_count", "_sum", "_bucket")), f"{name} has the name of a part"
        assert kind not in name.split("_"), f"{name} says its type"
    for family in families:
        for sample in family.samples:
            assert all(re.fullmatch(r"[a-z_]+", label) and label != "le" for label in sample.labels)
            assert family.type != "counter" or sample.value >= 0
        if family.type in ("histogram", "summary"):
            parts = {s.name.removeprefix(family.name) for s in family.samples}
            assert {"_sum", "_count"} <= parts
        if family.type == "histogram":
            assert "+Inf" in {s.labels.get("le") for s in family.samples}


def test_use_makes_no_series(http: TestClient, state: GatewayState) -> None:
    used(state, 6)
    before = series(scraped(http)[1])
    used(state, 2_000)
    assert series(scraped(http)[1]) == before


def test_models_beyond_the_limit_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_MODELS", 3)
    models = [model(f"m{n}", "cheap") for n in range(10)]
    state = gateway_state(settings=gateway_settings(models), clock=ManualClock(EPOCH))
    with client(state) as http:
        learner = state.router.learner
        learner.leave(*(outcome(n, model=f"m{n}") for n in range(10)))
        learner.flush()
        by_name = {family.name: family for family in scraped(http)[1]}
    calls = {(s.labels["model"], s.labels["tier"]): s.value for s in by_name["tiercel_calls"].samples}
    others = (prometheus.OTHER, prometheus.OTHER)
    assert calls == {("m0", "cheap"): 1, ("m1", "cheap"): 1, ("m2", "cheap"): 1, others: 7}
