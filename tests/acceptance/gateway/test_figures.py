"""The dashboard's data, through the gateway."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.calls import LOOPED_CHAT, check_error, decide
from support.in_process import client, gateway_settings, gateway_state, model
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import DashboardSettings, RouteSettings
from tiercel.core.statistics.buckets import HOUR_S
from tiercel.domain.catalogue import Price
from tiercel.domain.performance import TimeRange
from tiercel.testing import ManualClock

CHEAP = model("small", "cheap", price=Price(1.0, 2.0))
DEAR = model("large", "premium", price=Price(10.0, 20.0))
PATHS = ("/v1/overview", "/v1/series", "/v1/frontier", "/v1/models/observed")


def read(http: TestClient, path: str, **query: str | int) -> dict[str, Any]:
    answer = http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tell(http: TestClient, model_id: str, count: int, quality: float, *, workflow: str = "w") -> None:
    """So many calls of a model, each rated."""
    for number in range(count):
        decided = decide(http, workflow=workflow, stage="s", models=[model_id], requires=["coding"])
        body = {"decision_id": decided["id"], "success": number % 10 != 0, "latency_ms": 100.0 + number}
        assert http.post("/v1/outcomes", json={**body, "prompt_tokens": 100, "completion_tokens": 50}).is_success
        assert http.post("/v1/feedback", json={"decision_id": decided["id"], "quality": quality}).is_success


@pytest.fixture
def told(clock: ManualClock) -> Any:  # noqa: ANN401 - a generator
    settings = gateway_settings([CHEAP, DEAR], routes=(RouteSettings(policy="tier-rules"),))
    with client(gateway_state(settings=settings, clock=clock)) as http:
        tell(http, "small", 30, 0.8)
        tell(http, "large", 10, 0.9)
        clock.advance(2 * HOUR_S)
        tell(http, "small", 10, 0.7)
        yield http


def test_an_empty_gateway_invents_nothing(http: TestClient) -> None:
    found = read(http, "/v1/overview")
    assert (found["requests"], found["success_rate"], found["spend_usd"], found["quality"]) == (0, None, None, None)
    assert found["latency"] == {"mean": None, "p95": None, "p99": None}
    assert (found["saved"], found["saved_reason"], found["previous"]) == (None, "no call in this time", None)
    assert (found["active_alerts"], found["pending_approvals"]) == ({"count": 0, "worst": None}, 0)
    assert set(found["store"]) == {"degraded", "buffered", "kept", "dropped"}
    for time_range in TimeRange:
        lines = read(http, "/v1/series", time_range=time_range)
        assert set(lines["requests"]) == {0}
        assert set(lines["success_rate"]) == set(lines["latency"]["p99"]) == set(lines["quality"]["mean"]) == {None}
        assert len(lines["at"]) <= 300
    assert read(http, "/v1/frontier")["router"] is None
    assert all(point["cost_usd"] is None for point in read(http, "/v1/frontier")["models"])
    assert read(http, "/v1/routing")["data"] == []
    for row in read(http, "/v1/models/observed")["data"]:
        assert (row["requests"], row["share"], row["success_rate"], row["cost_usd"]) == (0, None, None, None)
        assert (row["avg_quality"], row["in_flight"], row["breaker"], row["drift"]) == (None, 0, None, None)


def test_the_overview(told: TestClient) -> None:
    found = read(told, "/v1/overview", time_range="last_24_hours")
    assert (found["requests"], found["success_rate"], found["unpriced_requests"]) == (50, 45 / 50, 0)
    assert found["spend_usd"] == pytest.approx(40 * 0.0002 + 10 * 0.002)
    assert found["quality"]["ratings"] == 50
    assert found["quality"]["mean"] == pytest.approx(0.8)
    assert found["quality"]["low"] < 0.8 < found["quality"]["high"]
    saved = found["saved"]
    assert (saved["against"], saved["requests"]) == ("large", 50)
    assert saved["usd"] == pytest.approx(40 * 0.0018)
    assert saved["low_usd"] == pytest.approx(saved["usd"]) == saved["high_usd"], "equal calls differ in nothing"
    assert saved["share"] == pytest.approx(40 * 0.0018 / (50 * 0.002))
    assert saved["quality_difference"]["mean"] == pytest.approx((30 * -0.1 + 10 * -0.2) / 50)
    hour = read(told, "/v1/overview", time_range="last_hour")
    assert (hour["requests"], hour["previous"]["requests"]) == (10, 40)
    assert read(told, "/v1/overview")["time_range"] == "last_24_hours"


def test_the_figures_over_time_agree_with_the_totals(told: TestClient) -> None:
    whole = read(told, "/v1/overview")
    for query in ({}, {"workflow": "w"}, {"workflow": "w", "stage": "s"}):
        found = read(told, "/v1/series", **query)
        assert (sum(found["requests"]), sum(found["ratings"])) == (whole["requests"], 50)
        assert sum(cost or 0 for cost in found["cost_usd"]) == pytest.approx(whole["spend_usd"])
        by_model = {line["model_id"]: sum(line["requests"]) for line in found["models"]}
        assert by_model == {"small": 40, "large": 10}
        assert {line["tier"]: sum(line["ratings"]) for line in found["tiers"]} == {"cheap": 40, "premium": 10}
    assert sum(read(told, "/v1/series", workflow="other")["requests"]) == 0


def test_cost_against_quality(told: TestClient) -> None:
    found = read(told, "/v1/frontier", workflow="w", stage="s")
    small, large = found["models"]
    assert (small["cost_usd"], large["cost_usd"]) == (pytest.approx(0.0002), pytest.approx(0.002))
    assert (small["quality"], large["quality"]) == (pytest.approx(0.775), pytest.approx(0.9))
    assert small["on_front"]
    assert large["on_front"]
    assert found["router"]["quality"] == pytest.approx(0.8)
    assert small["cost_usd"] < found["router"]["cost_usd"] < large["cost_usd"]


def test_every_stage_at_a_glance_the_worst_first(told: TestClient) -> None:
    tell(told, "small", 12, 0.2, workflow="bad")
    bad, good = read(told, "/v1/routing")["data"]
    assert (bad["workflow"], bad["underperforming"], good["underperforming"]) == ("bad", True, False)
    assert (good["policy"], good["serving"]["tier"]) == ("tier-rules", good["recommendation"]["current_tier"])
    assert good["share"] == {"small": 0.8, "large": 0.2}
    advice = read(told, "/v1/recommendations", workflow="bad", stage="s")["data"][0]
    assert bad["recommendation"] == {name: advice[name] for name in bad["recommendation"]}
    assert bad["serving"] == advice["serving"]
    assert [row["workflow"] for row in read(told, "/v1/routing", limit=1)["data"]] == ["bad"]
    assert [row["workflow"] for row in read(told, "/v1/routing", workflow="w")["data"]] == ["w"]


def test_models_as_they_were_observed(told: TestClient) -> None:
    small, large = read(told, "/v1/models/observed")["data"]
    assert (small["model_id"], small["requests"], small["share"], small["ratings"]) == ("small", 40, 0.8, 40)
    assert (large["price"], large["avg_quality"]) == ({"input": 10.0, "output": 20.0}, pytest.approx(0.9))
    assert large["latency"]["count"] == 9


def test_decisions_a_page_at_a_time(told: TestClient) -> None:
    first = read(told, "/v1/decisions", limit=30)
    second = read(told, "/v1/decisions", limit=30, before=first["next"])
    assert (len(first["data"]), len(second["data"]), second["next"]) == (30, 20, None)
    assert len({entry["id"] for page in (first, second) for entry in page["data"]}) == 50
    dear = read(told, "/v1/decisions", model="large", tier="premium", policy="tier-rules", workflow="w", stage="s")
    assert ({entry["model"] for entry in dear["data"]}, len(dear["data"])) == ({"large"}, 10)
    assert (dear["next"], dear["looked_at"]) == (None, 50)
    assert read(told, "/v1/decisions", agent="nobody")["data"] == []
    assert check_error(told.get("/v1/decisions", params={"before": "x"}), 422)["param"] == "before"


def test_a_decision_shows_each_candidates_score_before_and_after_its_calls(told: TestClient) -> None:
    decided = decide(told, workflow="w", stage="s", requires=["coding"])
    candidates = read(told, f"/v1/decisions/{decided['id']}")["candidates"]
    scores = {candidate["model"]: candidate["scores"] for candidate in candidates}
    small = scores["small"]
    assert (small["success_rate"], small["has_performance_data"]) == (0.9, True)
    adjusted = small["capability_score"] + small["performance_adjustment"]
    assert small["performance_score"] == pytest.approx(adjusted)
    assert small["avg_latency_ms"] == pytest.approx(told.get("/v1/models/observed").json()["data"][0]["latency"]["avg"])
    plain = decide(told, workflow="w", stage="s")
    assert {c["scores"] for c in read(told, f"/v1/decisions/{plain['id']}")["candidates"]} == {None}


def test_nothing_is_in_flight_once_all_is_answered(http: TestClient) -> None:
    for streamed in (False, True):
        # the provider answers in one piece: where a stream was wanted both models fail
        answer = http.post("/v1/chat/completions", json={**LOOPED_CHAT, "stream": streamed})
        assert answer.status_code == (502 if streamed else 200)
    assert [row["in_flight"] for row in read(http, "/v1/models/observed")["data"]] == [0, 0]


def test_active_alerts_are_counted(state: GatewayState, http: TestClient) -> None:
    state.alerting.note_no_models({"small": "a reason"})
    state.alerting.check()
    assert read(http, "/v1/overview")["active_alerts"] == {"count": 1, "worst": "CRITICAL"}


@pytest.mark.parametrize("path", PATHS)
def test_ranges_are_named(http: TestClient, path: str) -> None:
    assert check_error(http.get(path, params={"time_range": "last_week"}), 422)["param"] == "time_range"


@pytest.mark.parametrize("path", ["/v1/series", "/v1/frontier", "/v1/routing"])
def test_a_stage_is_of_a_workflow(http: TestClient, path: str) -> None:
    assert check_error(http.get(path, params={"stage": "s"}), 422)["param"] == "workflow"


def test_evaluations_of_a_folder(tmp_path: Path) -> None:
    result = {"policies": {"fixed": {"quality": 0.5}}, "baselines": {}, "table": {"queries": 1, "models": {}}}
    (tmp_path / "one.json").write_text(json.dumps(result))
    os.utime(tmp_path / "one.json", (0, 0))
    settings = gateway_settings(dashboard=DashboardSettings(evaluations=str(tmp_path)))
    with client(gateway_state(settings=settings)) as http:
        (found,) = read(http, "/v1/evaluations")["data"]
    assert (found["name"], found["kind"], found["measured_at"]) == ("one", "evaluate", "1970-01-01T00:00:00+00:00")
    assert str(tmp_path) not in json.dumps(found)


def test_a_gateway_without_that_folder_says_how_to_get_one(http: TestClient) -> None:
    found = read(http, "/v1/evaluations")
    assert (found["data"], "[dashboard]" in found["note"]) == ([], True)
