"""What goes round: decisions, outcomes and feedback, and what is recommended in the end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.in_process import AwayStore, client, gateway_settings, gateway_state, model
from tiercel.apps.gateway import feedback
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import RouteSettings
from tiercel.domain.errors import BufferFull
from tiercel.domain.events import Feedback
from tiercel.testing import ManualClock

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "metadata": {"workflow": "w", "stage": "s"}}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(clock: ManualClock) -> GatewayState:
    models = [model("small", "cheap"), model("large", "capable")]
    return gateway_state(settings=gateway_settings(models), clock=clock, store=AwayStore())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def decide(http: TestClient, **body: object) -> dict[str, Any]:
    answer = http.post("/v1/decisions", json=body)
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def rate(http: TestClient, body: object, status: int = 202) -> Any:  # noqa: ANN401 - JSON
    answer = http.post("/v1/feedback", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def ratings(http: TestClient, decision_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"/v1/decisions/{decision_id}").json()["feedback"]
    return found


def away(state: GatewayState) -> AwayStore:
    store = state.router.store
    assert isinstance(store, AwayStore)
    return store


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
    assert {name: read[name] for name in decided} == decided
    assert (read["outcomes"], read["feedback"]) == ([], [])
    assert [entry["id"] for entry in http.get("/v1/decisions").json()["data"]] == [decided["id"]]


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


@pytest.mark.parametrize(
    ("form", "quality"),
    [
        ({"quality": 0.65}, 0.65),
        ({"quality": 1}, 1.0),
        ({"passed": True}, 1.0),
        ({"passed": False}, 0.0),
        *(({"stars": stars}, (stars - 1) / 4) for stars in (1, 2, 3, 4, 5)),
    ],
)
def test_every_form_of_a_rating(http: TestClient, form: dict[str, Any], quality: float) -> None:
    decided = decide(http, workflow="w", stage="s")
    told = rate(http, {"decision_id": decided["id"], "source": "user:1", "metadata": {"why": "\u00fc"}, **form})
    (entry,) = ratings(http, decided["id"])
    assert told == {"feedback_id": entry["feedback_id"]}
    assert (entry["quality"], entry["source"], entry["metadata"]) == (quality, "user:1", {"why": "\u00fc"})
    assert (entry["model"], entry["tier"]) == ("small", "cheap")


def test_a_rating_without_a_decision(http: TestClient, state: GatewayState) -> None:
    rate(http, {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.4})
    rate(http, {"workflow": "w", "stage": "s", "model": "large", "stars": 5})
    history = state.router.store.feedback_history("w", "s", None, 10)
    assert [(entry.tier, entry.model, entry.quality) for entry in reversed(history)] == [
        ("cheap", "", 0.4),
        ("capable", "large", 1.0),
    ]
    unknown = rate(http, {"workflow": "w", "stage": "s", "model": "huge", "quality": 1}, 404)
    assert (unknown["error"]["code"], unknown["error"]["param"]) == ("model_not_found", "model")


def test_a_rating_of_a_completion(http: TestClient) -> None:
    answered = http.post("/v1/chat/completions", json=CHAT)
    rate(http, {"completion_id": answered.json()["id"], "quality": 0.8})
    assert [entry["quality"] for entry in ratings(http, answered.headers["x-tiercel-decision-id"])] == [0.8]


def test_an_id_works_once(http: TestClient) -> None:
    decided = decide(http, workflow="w", stage="s")
    body = {"decision_id": decided["id"], "quality": 0.8, "id": "mine/1"}
    assert rate(http, body) == {"feedback_id": "mine/1"}
    assert rate(http, body, 200) == {"feedback_id": "mine/1"}
    assert rate(http, {**body, "quality": 0.7}, 409)["error"]["param"] == "id"
    assert [entry["quality"] for entry in ratings(http, decided["id"])] == [0.8]


def test_the_same_source_revises_its_rating(http: TestClient) -> None:
    decided = decide(http, workflow="w", stage="s")
    for source, quality in (("a", 0.1), ("b", 0.5), ("a", 0.9)):
        rate(http, {"decision_id": decided["id"], "quality": quality, "source": source})
    assert {e["source"]: e["quality"] for e in ratings(http, decided["id"])} == {"a": 0.9, "b": 0.5}
    assert http.get("/v1/stats").json()["overall"]["ratings"] == 2


def test_a_list_is_taken_whole_or_not_at_all(http: TestClient) -> None:
    decided = decide(http, workflow="w", stage="s")
    good = [{"decision_id": decided["id"], "quality": q, "source": f"s{i}"} for i, q in enumerate((0.1, 0.2, 0.3))]
    assert [set(entry) for entry in rate(http, good)] == [{"feedback_id"}] * 3
    refused = rate(http, [*good, {"decision_id": "dec_none", "quality": 1}], 404)
    assert refused["error"]["param"] == "[3].decision_id"
    rate(http, [{**good[0], "source": "new"}, {**good[1], "quality": 7}], 422)
    assert len(ratings(http, decided["id"])) == 3
    named = [{**good[0], "id": "one"}, {**good[1], "id": "two"}]
    rate(http, named)
    rate(http, named, 200)
    conflict = rate(http, [{**good[0], "id": "three"}, {**good[1], "id": "two", "quality": 0.9}], 409)
    assert conflict["error"]["param"] == "[1].id"
    assert "the other 1" in conflict["error"]["message"]
    rate(http, [], 422)


def test_very_many_ratings_are_413(http: TestClient) -> None:
    body = {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 1}
    assert len(rate(http, [body] * 1000)) == 1000
    rate(http, [body] * (feedback.MAX_RATINGS + 1), 413)


def test_ratings_from_the_past_and_the_future(http: TestClient, clock: ManualClock) -> None:
    stage = {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 1}
    retention = timedelta(days=7)
    rate(http, {**stage, "timestamp": (clock.now() - retention).isoformat()})
    old = rate(http, {**stage, "timestamp": (clock.now() - retention - timedelta(seconds=1)).isoformat()}, 422)
    assert old["error"]["param"] == "timestamp"
    early = rate(http, {**stage, "timestamp": "2999-01-01T00:00:00+14:00"})
    assert early["clamped"] is True
    assert "clamped" not in rate(http, {**stage, "timestamp": clock.now().replace(tzinfo=None).isoformat()})


def test_with_the_store_away_ratings_are_buffered(
    http: TestClient, state: GatewayState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "ACKNOWLEDGE_S", 0.01)
    decided = decide(http, workflow="w", stage="s")
    state.router.learner.flush(10)
    store = away(state)
    store.away = True
    body = {"decision_id": decided["id"], "quality": 0.8, "id": "late"}
    assert rate(http, body) == {"feedback_id": "late", "buffered": True}
    store.wait_until_noticed()
    outcome = {"decision_id": decided["id"], "success": True, "latency_ms": 5}
    assert http.post("/v1/outcomes", json=outcome).json()["buffered"] is True
    assert decide(http)["degraded"] is True
    assert http.get("/ready").status_code == 503
    assert http.get("/health").status_code == 200
    store.away = False
    state.router.learner.flush(10)
    assert [entry["quality"] for entry in ratings(http, decided["id"])] == [0.8]
    assert rate(http, body, 200) == {"feedback_id": "late"}


def test_only_a_full_buffer_refuses(http: TestClient, state: GatewayState, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*events: object) -> None:
        raise BufferFull

    decided = decide(http)
    monkeypatch.setattr(state.router.learner, "send", full)
    refused = http.post("/v1/feedback", json={"decision_id": decided["id"], "quality": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "buffer_full")
    assert refused.headers["retry-after"]


def test_a_stage_moves_up_and_it_is_said(http: TestClient, clock: ManualClock) -> None:
    for _ in range(30):
        answered = http.post("/v1/chat/completions", json=CHAT)
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
        http.post("/v1/chat/completions", json=CHAT)
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
        answers = list(pool.map(lambda _: http.post("/v1/chat/completions", json=CHAT), range(40)))
        list(
            pool.map(
                lambda a: rate(http, {"decision_id": a.headers["x-tiercel-decision-id"], "quality": 0.75}), answers
            )
        )
        stats = http.get("/v1/stats").json()["overall"]
    assert (stats["total_requests"], stats["ratings"], stats["avg_quality"]) == (40, 40, 0.75)
    events, _ = state.router.store.events_after(0, 1000)
    assert len({event.id for event in events if isinstance(event, Feedback)}) == 40
