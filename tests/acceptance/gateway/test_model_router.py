"""Founding system A over HTTP, with the sample models and agents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.in_process import PROVIDER, client, gateway_settings, gateway_state
from tiercel.adapters.memory_store import MemoryStore
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.alerts import Alert
from tiercel.domain.catalogue import AgentStatus
from tiercel.domain.samples import SAMPLE_AGENTS, SAMPLE_MODELS
from tiercel.services.alerting.alerting import Alerting
from tiercel.testing import ManualClock

PREFIX = "/api/v1/model-router"
MODELS = [replace(model, provider=PROVIDER) for model in SAMPLE_MODELS]
LLAMA, MISTRAL, TINY = (model.model_id for model in MODELS)
AGENTS = [agent.agent_id for agent in SAMPLE_AGENTS]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def state(store: MemoryStore) -> GatewayState:
    return gateway_state(settings=gateway_settings(MODELS), store=store, clock=ManualClock())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def assign(http: TestClient, strategy: str, path: str = "auto-assign-all", **options: object) -> dict[str, Any]:
    answer = http.post(f"{PREFIX}/{path}", json={"strategy": strategy, **options})
    assert answer.status_code == 200, answer.text
    assigned: dict[str, Any] = answer.json()
    return assigned


def get(http: TestClient, path: str, **query: str | int) -> dict[str, Any]:
    answer = http.get(f"{PREFIX}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def chosen(assignments: Sequence[dict[str, Any]]) -> list[str]:
    return [assignment["model_id"] for assignment in assignments]


def play(http: TestClient, model_id: str, calls: Sequence[tuple[float, bool]]) -> None:
    """Calls of a model, each with its latency in ms and whether it succeeded."""
    for latency_ms, success in calls:
        decision = http.post("/v1/decisions", json={"models": [model_id]}).json()
        body = {"decision_id": decision["id"], "success": success, "latency_ms": latency_ms}
        assert http.post("/v1/outcomes", json=body).status_code == 202


@pytest.fixture
def experienced(http: TestClient) -> TestClient:
    """The sample data: llama fast and sure, mistral slow and failing."""
    play(http, LLAMA, [(100 + 5 * i, True) for i in range(20)])
    play(http, MISTRAL, [(400 + 10 * i, i < 12) for i in range(20)])
    return http


@pytest.mark.parametrize(
    ("strategy", "models", "total"),
    [
        ("greedy", [LLAMA, LLAMA, MISTRAL], 92.25 + 93.0 + 86.5),
        ("balanced", [LLAMA, LLAMA, MISTRAL], 92.25 + 93.0 + 86.5),
        ("optimal", [LLAMA, MISTRAL, TINY], 256.25),
        ("adaptive", [LLAMA, LLAMA, MISTRAL], 92.25 + 93.0 + 86.5),
    ],
)
@pytest.mark.parametrize("path", ["auto-assign-all", "auto-assign"])
def test_every_strategy_on_the_samples(
    http: TestClient, path: str, strategy: str, models: list[str], total: float
) -> None:
    assigned = assign(http, strategy, path)
    assert chosen(assigned["assignments"]) == models
    assert [assignment["agent_id"] for assignment in assigned["assignments"]] == AGENTS
    assert assigned["total_score"] == pytest.approx(total)
    assert assigned["avg_match_score"] == pytest.approx(total / 3)
    assert (assigned["success"], assigned["strategy"], assigned["total_assignments"]) == (True, strategy, 3)
    assert assigned["timestamp"].startswith("2026-01-01T")
    assert assigned["durable"] is True


def test_measured_performance_counts(experienced: TestClient) -> None:
    assigned = assign(experienced, "adaptive")
    scores = {a["agent_id"]: (a["model_id"], a["performance_score"]) for a in assigned["assignments"]}
    expected = zip(AGENTS, ((LLAMA, 93.1375), (LLAMA, 93.5875), (LLAMA, 83.6875)), strict=True)
    assert scores == {agent: (model, pytest.approx(score)) for agent, (model, score) in expected}
    first = assigned["assignments"][0]
    assert (first["has_performance_data"], first["success_rate"], first["avg_latency_ms"]) == (True, 1.0, 147.5)
    assert (first["capability_score"], first["method"]) == (92.25, "adaptive")
    assert first["performance_adjustment"] == pytest.approx(0.8875)
    assert (first["overlap"], first["missing_required"]) == (
        ["coding", "reasoning", "high_accuracy", "long_context"],
        [],
    )


def test_load_spreads_and_capacity_bounds(http: TestClient) -> None:
    assert chosen(assign(http, "load_aware", capacity=1)["assignments"]) == [LLAMA, MISTRAL, TINY]
    assert chosen(assign(http, "optimal", capacity=None)["assignments"]) == [LLAMA, LLAMA, MISTRAL]
    assert chosen(assign(http, "optimal", capacity=0)["assignments"]) == []


def test_agents_that_are_not_online_are_passed_over() -> None:
    agents = [replace(SAMPLE_AGENTS[0], status=AgentStatus.OFFLINE), *SAMPLE_AGENTS[1:]]
    with client(gateway_state(settings=gateway_settings(MODELS, agents))) as http:
        assigned = assign(http, "greedy")
        assert [assignment["agent_id"] for assignment in assigned["assignments"]] == AGENTS[1:]
        assert get(http, "stats")["online_agents"] == 2


def test_without_agents_nothing_is_assigned() -> None:
    with client(gateway_state(settings=gateway_settings(MODELS, []))) as http:
        assigned = assign(http, "optimal")
    assert (assigned["assignments"], assigned["avg_match_score"], assigned["total_score"]) == ([], None, 0)


def test_assignments_are_filtered_and_paged(http: TestClient) -> None:
    assert get(http, "assignments") == {
        "assignments": [],
        "total": 0,
        "page": 1,
        "page_size": 20,
        "total_pages": 0,
    }
    assign(http, "greedy")
    assert chosen(get(http, "assignments")["assignments"]) == [LLAMA, LLAMA, MISTRAL]
    assert get(http, "assignments", model_id=LLAMA)["total"] == 2
    assert get(http, "assignments", agent_id=AGENTS[1], model_id=MISTRAL)["total"] == 0
    assert get(http, "assignments", agent_id="nobody")["total"] == 0
    paged = [get(http, "assignments", page=page, page_size=2) for page in (1, 2, 3)]
    assert [chosen(page["assignments"]) for page in paged] == [[LLAMA, LLAMA], [MISTRAL], []]
    assert [(page["total"], page["total_pages"]) for page in paged] == [(3, 2)] * 3


def test_an_assignment_is_changed_and_removed(http: TestClient) -> None:
    first = assign(http, "greedy")["assignments"][0]
    path = f"{PREFIX}/assignments/{first['assignment_id']}"
    changed = http.put(path, json={"model_id": TINY}).json()["assignment"]
    assert (changed["model_id"], changed["method"], changed["capability_score"]) == (TINY, "manual", 43.5)
    assert (changed["previous_model_id"], changed["revision"]) == (LLAMA, 2)
    assert chosen(get(http, "assignments", agent_id=AGENTS[0])["assignments"]) == [TINY]
    removed = http.delete(path).json()["assignment"]
    assert (removed["status"], removed["model_id"]) == ("removed", TINY)
    assert get(http, "assignments", status="active")["total"] == 2
    assert chosen(get(http, "assignments", status="removed")["assignments"]) == [TINY]
    assert get(http, "stats")["assignments_by_model"] == {LLAMA: 1, MISTRAL: 1, TINY: 0}
    assert http.delete(path).status_code == 404
    assert http.put(path, json={"model_id": MISTRAL}).status_code == 200, "what was removed may be given again"
    assert http.put(path, json={"model_id": "huge"}).json()["error"]["code"] == "model_not_found"
    assert http.put(f"{PREFIX}/assignments/assignment_0", json={"model_id": TINY}).status_code == 404


def test_assignments_outlive_the_process(http: TestClient, store: MemoryStore) -> None:
    before = assign(http, "greedy")["assignments"]
    with client(gateway_state(settings=gateway_settings(MODELS), store=store)) as later:
        assert get(later, "assignments")["assignments"] == before


def test_two_processes_that_assign_at_once_both_have_their_turn(http: TestClient, store: MemoryStore) -> None:
    with client(gateway_state(settings=gateway_settings(MODELS), store=store)) as other:
        assign(http, "greedy")
        # the other has not heard of it yet
        assert [a["revision"] for a in assign(other, "optimal")["assignments"]] == [2, 2, 2]
        assert [a["revision"] for a in assign(http, "greedy")["assignments"]] == [3, 3, 3]


def test_the_agents_know_their_models(http: TestClient) -> None:
    assign(http, "greedy")
    agents = http.get("/v1/agents").json()["data"]
    assert [(agent["agent_id"], agent["assigned_model_id"]) for agent in agents] == list(
        zip(AGENTS, (LLAMA, LLAMA, MISTRAL), strict=True)
    )
    assert agents[0]["success_rate"] is None


def test_the_metrics_have_the_published_shape(experienced: TestClient) -> None:
    metrics = get(experienced, "metrics")
    assert set(metrics) == {"latency", "success_rate", "top_models"}
    assert set(metrics["latency"]) == {"min", "max", "avg", "p50", "p95", "p99", "count"}
    assert (metrics["latency"]["min"], metrics["latency"]["max"], metrics["latency"]["count"]) == (100, 510, 32)
    assert metrics["success_rate"] == {
        "total_requests": 40,
        "successful_requests": 32,
        "failed_requests": 8,
        "success_rate": 0.8,
    }
    top = metrics["top_models"]
    assert [set(entry) for entry in top] == [
        {"model_id", "total_requests", "success_rate", "avg_latency_ms", "avg_match_score"}
    ] * 2
    assert [(entry["model_id"], entry["avg_latency_ms"]) for entry in top] == [(LLAMA, 147.5), (MISTRAL, 455.0)]


def test_nothing_measured_is_null_and_not_nought(http: TestClient) -> None:
    metrics = get(http, "metrics")
    assert metrics["success_rate"]["success_rate"] is None
    assert metrics["latency"]["p95"] is None
    assert metrics["top_models"] == []
    stats = get(http, "stats")
    assert (stats["total_models"], stats["total_agents"], stats["online_agents"]) == (3, 3, 3)
    assert (stats["avg_match_score"], stats["calls"]["success_rate"]) == (None, None)
    models = get(http, "models")["models"]
    assert [(entry["model_id"], entry["success_rate"]) for entry in models] == [(m.model_id, None) for m in MODELS]
    assert models[0]["capabilities"]["reasoning"] == 0.95


def test_performance_looks_back_as_far_as_asked(experienced: TestClient, state: GatewayState) -> None:
    clock = state.router.learner.clock
    assert isinstance(clock, ManualClock)
    assert get(experienced, "performance")["time_range"] == "last_24_hours"
    clock.advance(3 * 3600)
    play(experienced, TINY, [(50, True)])
    counted = {
        name: get(experienced, "performance", time_range=name)["success_rate"]["total_requests"]
        for name in ("last_hour", "last_24_hours", "last_7_days", "last_30_days")
    }
    assert counted == {"last_hour": 1, "last_24_hours": 41, "last_7_days": 41, "last_30_days": 41}
    lately = get(experienced, "performance", time_range="last_hour")
    assert {entry["model_id"]: entry["total_requests"] for entry in lately["models"]} == {LLAMA: 0, MISTRAL: 0, TINY: 1}
    timeline = get(experienced, "performance")["timeline"]
    assert sum(entry["total_requests"] for entry in timeline) == 41
    assert [entry["start_s"] for entry in timeline] == sorted(entry["start_s"] for entry in timeline)


def test_alerts_fire_and_are_listed(experienced: TestClient) -> None:
    active = get(experienced, "alerts/active")
    kinds = {(alert["alert_type"], alert["model_id"]) for alert in active["alerts"]}
    assert ("model_failure", MISTRAL) in kinds
    assert active["total"] == active["active"] == len(kinds)
    everything = get(experienced, "alerts")
    assert {alert["alert_id"] for alert in everything["alerts"]} == {alert["alert_id"] for alert in active["alerts"]}
    assert get(experienced, "alerts/history")["alerts"] == [], "nothing is over yet"
    critical = get(experienced, "alerts", severity="CRITICAL")["alerts"]
    assert {alert["severity"] for alert in critical} <= {"CRITICAL"}
    listed = experienced.get("/v1/alerts?status=active").json()
    assert (listed["active"], len(listed["data"])) == (active["active"], active["active"])
    assert experienced.get("/v1/alerts?status=resolved").json()["data"] == []


def test_who_asks_for_alerts_does_not_wait_in_the_event_loop(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another may be looking, and wait for a store that hangs."""
    in_loop: list[bool] = []

    def active(_: Alerting) -> list[Alert]:
        in_loop.append(_loop_runs())
        return []

    monkeypatch.setattr(Alerting, "active", property(active))
    get(http, "alerts")
    assert in_loop == [False]


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def test_alerts_that_are_over_are_history(experienced: TestClient, state: GatewayState) -> None:
    before = get(experienced, "alerts/active")["total"]
    clock = state.router.learner.clock
    assert isinstance(clock, ManualClock)
    clock.advance(2 * 3600)
    assert get(experienced, "alerts/active")["total"] == 0
    history = get(experienced, "alerts/history")
    assert (history["total"], history["active"]) == (before, 0)
    assert all(alert["resolved_at"] for alert in history["alerts"])


def test_route_decides(http: TestClient) -> None:
    decided = http.post(f"{PREFIX}/route", json={"agent_id": AGENTS[0], "workflow": "w"}).json()
    assert decided["model"] in {LLAMA, MISTRAL, TINY}
    assert http.get(f"/v1/decisions/{decided['id']}").status_code == 200
