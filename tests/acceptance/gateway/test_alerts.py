"""Alerts over HTTP: what stands, who takes care of it, how the channels do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from support.calls import check_error
from support.in_process import client, gateway_settings, gateway_state
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.alert_rule import AlertRule


@pytest.fixture
def state() -> GatewayState:
    rule = AlertRule(name="bad", metric="success_rate", workflow="*", critical=0.5, minimum_sample=3)
    return gateway_state(settings=gateway_settings(rules=(rule,)))


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def fail(http: TestClient, number: int = 3) -> None:
    for _ in range(number):
        decided = http.post("/v1/decisions", json={"workflow": "w", "stage": "s"}).json()
        outcome = {"decision_id": decided["id"], "model": decided["model"], "success": False, "latency_ms": 5.0}
        assert http.post("/v1/outcomes", json=outcome).status_code in (200, 202)


def test_a_rule_of_one_s_own_fires_and_is_taken_care_of(http: TestClient) -> None:
    fail(http)
    (alert,) = [one for one in http.get("/v1/alerts?status=active").json()["data"] if one["rule"] == "bad"]
    assert (alert["alert_type"], alert["segment"]) == ("threshold_breach", ["stage", "w", "s"])
    assert alert["message"] == "CRITICAL: Success rate of w/s 0.0% below critical threshold 50.0% (bad)"
    assert (alert["acknowledged_at"], alert["acknowledged_by"]) == (None, None)
    path = f"/v1/alerts/{alert['alert_id']}/acknowledge"
    first = http.post(path, json={"by": "ada", "note": "on it"})
    assert (first.status_code, first.json()["acknowledged_by"], first.json()["note"]) == (200, "ada", "on it")
    assert http.post(path, json={"by": "bob"}).json() == first.json()
    assert http.post(path).json() == first.json()
    (listed,) = [one for one in http.get("/v1/alerts").json()["data"] if one["rule"] == "bad"]
    assert listed["acknowledged_at"] == first.json()["acknowledged_at"] is not None
    old = http.get("/api/v1/model-router/alerts").json()["alerts"]
    assert [one["acknowledged_by"] for one in old if one["rule"] == "bad"] == ["ada"]


def test_who_it_was_is_said_by_somebody(http: TestClient) -> None:
    fail(http)
    alert_id = http.get("/v1/alerts").json()["data"][0]["alert_id"]
    assert http.post(f"/v1/alerts/{alert_id}/acknowledge").json()["acknowledged_by"] == "local"


def test_what_is_not_there_cannot_be_acknowledged(http: TestClient) -> None:
    assert check_error(http.post("/v1/alerts/alert_nobody/acknowledge", json={}), 404)["code"] == "not_found"
    check_error(http.get("/v1/alerts/alert_nobody/acknowledge"), 405)
    check_error(http.post("/v1/alerts/alert_nobody/acknowledge", json={"by": "a\nb"}), 422)
    check_error(http.post("/v1/alerts/alert_nobody/acknowledge", json={"who": "a"}), 422)


def test_without_channels_there_are_none(http: TestClient) -> None:
    assert http.get("/v1/alerts").json()["channels"] == []
