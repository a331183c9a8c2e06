"""What goes round: decisions and outcomes, and what is known and recommended in the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from support.calls import LOOPED_CHAT, decide, rate, ratings
from support.in_process import client, gateway_settings, gateway_state
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import RouteSettings
from tiercel.domain.events import Feedback
from tiercel.ports import START
from tiercel.testing import ManualClock


def test_a_decision_says_everything(http: TestClient) -> None:
    decided = decide(http, workflow="w", stage="s", session_id="x", requires="coding,general", prompt="p" * 400)
    assert (decided["workflow"], decided["stage"], decided["session_id"]) == ("w", "s", "x")
    assert decided["requires"] == ["coding", "general"]
    assert (decided["model"], decided["tier"], decided["policy"]) == ("small", "cheap", "tier-rules")
    assert [(c["model"], c["excluded"]) for c in decided["candidates"]] == [("small", None), ("large", None)]
    assert sum(c["probability"] for c in decided["candidates"]) == pytest.approx(1.0)
    assert decided["degraded"] is False
    assert "small" in decided["explanation"]
    read = http.get(f"/v1/decisions/{decided['id']}").json()
    assert [candidate.pop("scores") is not None for candidate in read["candidates"]] == [True, True]
    assert {name: read[name] for name in decided} == decided
    assert (read["outcomes"], read["feedback"]) == ([], [])
    assert [entry["id"] for entry in http.get("/v1/decisions").json()["data"]] == [decided["id"]]


def test_an_unknown_decision_is_404(http: TestClient) -> None:
    unknown = http.get("/v1/decisions/dec_none")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert rate(http, {"decision_id": "dec_none", "quality": 1}, 404)["error"]["param"] == "decision_id"
    assert rate(http, {"completion_id": "c_none", "quality": 1}, 404)["error"]["param"] == "completion_id"


def test_models_may_be_narrowed_and_capabilities_demanded(http: TestClient) -> None:
    decided = decide(http, models=["large"])
    assert (decided["model"], decided["propensity"]) == ("large", 1.0)
    assert {c["model"]: c["excluded"] for c in decided["candidates"]}["small"] == "not among the models asked for"
    unknown = http.post("/v1/decisions", json={"models": ["large", "huge"]})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert unknown.json()["error"]["param"] == "models[1]"
    none = http.post("/v1/decisions", json={"requires": ["vision"], "require_all": True})
    assert (none.status_code, none.json()["error"]["code"]) == (503, "no_eligible_model")
    assert {d["message"] for d in none.json()["error"]["details"]} == {"lacks required vision"}
    assert [alert["alert_type"] for alert in http.get("/v1/alerts").json()["data"]] == ["no_models_available"]


def test_an_agents_needs_are_known(http: TestClient) -> None:
    assert decide(http, agent_id="agent_gpu_1")["requires"] == ["coding", "reasoning"]
    assert decide(http, task="translation")["requires"] == ["multilingual", "general"]


def test_the_draws_of_a_seeded_gateway_repeat_with_the_request_id() -> None:
    settings = gateway_settings(routes=(RouteSettings(policy="random"),))
    seeded = gateway_settings(routes=settings.routes, server=type(settings.server)(seed=7))
    drawn: list[list[str]] = []
    for _ in range(2):
        with client(gateway_state(settings=seeded)) as http:
            answers = [http.post("/v1/decisions", json={}, headers={"x-request-id": f"r{i}"}) for i in range(12)]
            drawn.append([answer.json()["model"] for answer in answers])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 2


def test_an_outcome_from_outside(http: TestClient) -> None:
    decided = decide(http, workflow="w", stage="s")
    body = {"decision_id": decided["id"], "success": True, "latency_ms": 412, "prompt_tokens": 150}
    body |= {"completion_tokens": 80, "completion_id": "chatcmpl-9"}
    answer = http.post("/v1/outcomes", json=body)
    assert (answer.status_code, answer.json()["cost_usd"]) == (202, pytest.approx(310 / 1e6))
    again = http.post("/v1/outcomes", json={**body, "latency_ms": 1})
    assert again.status_code == 200, "an outcome is recorded once per decision and model"
    (outcome,) = http.get(f"/v1/decisions/{decided['id']}").json()["outcomes"]
    assert (outcome["latency_ms"], outcome["cost_usd"]) == (412, pytest.approx(310 / 1e6))
    rate(http, {"completion_id": "chatcmpl-9", "quality": 0.5})
    assert [entry["quality"] for entry in ratings(http, decided["id"])] == [0.5]
    assert http.post("/v1/outcomes", json={**body, "decision_id": "dec_none"}).status_code == 404
    assert http.post("/v1/outcomes", json={**body, "model": "huge"}).json()["error"]["code"] == "model_not_found"


def test_a_stage_moves_up_and_it_is_said(http: TestClient, clock: ManualClock) -> None:
    for _ in range(30):
        answered = http.post("/v1/chat/completions", json=LOOPED_CHAT)
        rate(http, {"decision_id": answered.headers["x-tiercel-decision-id"], "quality": 0.3, "source": "evaluator"})
        clock.advance(1.0)
    (advice,) = http.get("/v1/recommendations?workflow=w&stage=s").json()["data"]
    assert advice["serving"]["policy"] == "tier-rules"
    assert advice["serving"]["tier"] == "capable"
    assert "Low quality (0.30)" in advice["serving"]["reason"]
    assert advice["stats"]["cheap"]["avg_quality"] == pytest.approx(0.3)
    (asked,) = http.get("/v1/recommendations?workflow=w&stage=s&current_tier=cheap").json()["data"]
    assert (asked["recommended_tier"], asked["confidence"] > 0) == ("capable", True)
    assert "Low quality (0.30)" in asked["reason"]
    assert http.get("/v1/recommendations?workflow=w").json()["data"] == [advice]
    assert http.get("/v1/recommendations?workflow=other").json()["data"] == []
    worst = http.get("/v1/underperforming?workflow=w").json()["data"]
    assert {(entry["label"], entry["workflow"], entry["tier"]) for entry in worst} >= {("s/cheap", "w", "cheap")}
    assert http.get("/v1/underperforming?quality_threshold=0.1").json()["data"] == []


def test_an_unrated_stage(http: TestClient) -> None:
    (advice,) = http.get("/v1/recommendations", params={"workflow": "new", "stage": "new"}).json()["data"]
    assert (advice["current_tier"], advice["recommended_tier"]) == ("unknown", "cheap")
    assert (advice["confidence"], advice["reason"]) == (0, "No feedback data available")
    assert advice["serving"] == {"policy": "tier-rules", "tier": "cheap", "since": None, "reason": None}


def test_the_figures(http: TestClient) -> None:
    for _ in range(3):
        http.post("/v1/chat/completions", json=LOOPED_CHAT)
    stats = http.get("/v1/stats?time_range=last_hour&workflow=w&stage=s").json()
    assert stats["overall"]["total_requests"] == 3
    assert sum(entry["share"] for entry in stats["models"]) == pytest.approx(1.0)
    assert stats["overall"]["cost_usd"] == pytest.approx(3 * 14 / 1e6)
    assert stats["overall"]["avg_quality"] is None
    assert stats["serving"]["tier"] == "cheap"
    everything = http.get("/v1/stats").json()
    assert everything["overall"]["success_rate"] == 1.0
    other = http.get("/v1/stats?workflow=w&stage=other").json()
    assert (other["overall"]["total_requests"], other["overall"]["success_rate"]) == (0, None)


def test_many_clients_at_once_count_exactly(state: GatewayState) -> None:
    with client(state) as http, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post("/v1/chat/completions", json=LOOPED_CHAT), range(40)))
        list(
            pool.map(
                lambda a: rate(http, {"decision_id": a.headers["x-tiercel-decision-id"], "quality": 0.75}), answers
            )
        )
        stats = http.get("/v1/stats").json()["overall"]
    assert (stats["total_requests"], stats["ratings"], stats["avg_quality"]) == (40, 40, 0.75)
    events, _ = state.router.store.events_after(START, 1000)
    assert len({event.id for event in events if isinstance(event, Feedback)}) == 40
