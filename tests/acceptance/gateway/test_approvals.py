"""A change waits for a yes: /v1/approvals, /v1/rollouts and /v1/changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.calls import check_error
from support.in_process import AwayStore, client, gateway_settings, gateway_state, model
from tiercel.apps.gateway.event_stream import Feed
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import RouteSettings
from tiercel.testing import ManualClock

ROUTES = (
    RouteSettings(match="asks/*", policy="tier-rules", changes="approval", approval_timeout_s=60.0),
    RouteSettings(match="rolls/*", policy="tier-rules", changes="rollout", rollout_shares=(0.5, 1.0)),
    RouteSettings(match="both/*", policy="tier-rules", changes="approval-then-rollout"),
)


@pytest.fixture
def state(clock: ManualClock) -> GatewayState:
    models = [model("small", "cheap"), model("large", "capable")]
    return gateway_state(settings=gateway_settings(models, routes=ROUTES), clock=clock, store=AwayStore())


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def ask(http: TestClient, workflow: str) -> dict[str, Any]:
    """Ratings that call for a higher tier; the request that follows."""
    ratings = [{"workflow": workflow, "stage": "s", "tier": "cheap", "quality": 0.2} for _ in range(20)]
    for rating in ratings:
        assert http.post("/v1/feedback", json=rating).is_success
    (asked,) = (row for row in listed(http)["data"] if row["workflow"] == workflow)
    return dict(asked)


def listed(http: TestClient, query: str = "") -> dict[str, Any]:
    answer = http.get(f"/v1/approvals{query}")
    assert answer.status_code == 200
    return dict(answer.json())


def serving(http: TestClient, workflow: str) -> str:
    decision = http.post("/v1/decisions", json={"workflow": workflow, "stage": "s"}).json()
    return str(max(decision["candidates"], key=lambda c: c["probability"])["tier"])


def pending_metric(http: TestClient) -> float:
    lines = http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("tiercel_approvals_pending ")).split()[1])


def test_nothing_is_asked_where_nothing_was_learned(http: TestClient) -> None:
    assert listed(http) == {"object": "list", "data": [], "pending": 0, "note": "nothing waits for approval"}
    assert http.get("/v1/changes").json() == {"object": "list", "data": [], "next_before": None}


def test_a_change_is_shown_with_its_evidence_and_applies_once_approved(http: TestClient) -> None:
    asked = ask(http, "asks")
    assert {name: asked[name] for name in ("workflow", "stage", "policy", "from", "to", "status", "share")} == {
        "workflow": "asks",
        "stage": "s",
        "policy": "tier-rules",
        "from": "cheap",
        "to": "capable",
        "status": "pending",
        "share": 0.0,
    }
    assert asked["evidence"]["quality"] == pytest.approx(0.2)
    assert asked["expires_at"] > asked["requested_at"]
    assert asked["decided_by"] is asked["decided_at"] is asked["note"] is asked["interval"] is None
    assert (serving(http, "asks"), pending_metric(http), listed(http)["pending"]) == ("cheap", 1.0, 1)
    approved = http.post(f"/v1/approvals/{asked['id']}/approve", json={"reason": "read them", "by": "ada"})
    assert approved.status_code == 200
    told = approved.json()
    assert (told["status"], told["decided_by"], told["note"]) == ("approved", "ada", "read them")
    assert (serving(http, "asks"), pending_metric(http)) == ("capable", 0.0)
    (advice,) = http.get("/v1/recommendations?workflow=asks").json()["data"]
    assert (advice["serving"]["policy"], advice["serving"]["tier"]) == ("tier-rules", "capable")
    assert [row["id"] for row in listed(http, "?status=approved")["data"]] == [asked["id"]]
    assert listed(http, "?status=pending")["data"] == []


def test_a_request_and_its_answer_are_told_as_they_happen(http: TestClient, state: GatewayState) -> None:
    feed = Feed(["approval"])
    state.router.learner.subscribe(feed.put)
    asked = ask(http, "asks")
    http.post(f"/v1/approvals/{asked['id']}/approve", json={})
    told = feed.take()[0].decode().strip().split("\n\n")
    assert [block.splitlines()[0] for block in told] == ["event: approval"] * 2
    records = [json.loads(block.partition("data: ")[2]) for block in told]
    assert [record["evidence"]["status"] for record in records] == ["pending", "approved"]
    assert {record["evidence"]["id"] for record in records} == {asked["id"]}


def test_who_was_slower_is_told_who_decided_what(http: TestClient) -> None:
    asked = ask(http, "asks")
    path = f"/v1/approvals/{asked['id']}"
    rejected = http.post(f"{path}/reject", json={"reason": "too dear", "by": "grace"})
    assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")
    error = check_error(http.post(f"{path}/approve", json={"by": "ada"}), 409)
    assert "is rejected since" in error["message"]
    assert "rejected by grace: too dear" in error["message"]
    assert serving(http, "asks") == "cheap"


def test_a_no_needs_a_reason_and_a_name_that_is_one(http: TestClient) -> None:
    asked = ask(http, "asks")
    for reason in ({}, {"reason": " "}, {"reason": "x" * 2_001}):
        assert check_error(http.post(f"/v1/approvals/{asked['id']}/reject", json=reason), 422)["param"] == "reason"
    for body in ({"by": ""}, {"by": 3}, {"by": "a\nb"}):
        assert check_error(http.post(f"/v1/approvals/{asked['id']}/approve", json=body), 422)["param"] == "by"
    assert check_error(http.post("/v1/approvals/change_0/approve", json={}), 404)["code"] == "not_found"
    assert check_error(http.post(f"/v1/rollouts/{asked['id']}/stop", json={"reason": "now"}), 409)
    assert check_error(http.get("/v1/approvals?status=maybe"), 422)["param"] == "status"
    assert listed(http)["pending"] == 1


def test_time_out_is_a_rejection(http: TestClient, clock: ManualClock) -> None:
    asked = ask(http, "asks")
    clock.advance(60.0)
    (over,) = listed(http)["data"]
    assert (over["id"], over["status"], over["decided_by"]) == (asked["id"], "expired", "tiercel")
    check_error(http.post(f"/v1/approvals/{asked['id']}/approve", json={}), 409)
    assert serving(http, "asks") == "cheap"
    assert [row["status"] for row in http.get("/v1/changes").json()["data"]] == ["expired", "pending"]


def test_a_rollout_is_stopped_by_hand(http: TestClient) -> None:
    rolling = ask(http, "rolls")
    assert (rolling["status"], rolling["share"], rolling["ratings"]) == ("rolling", 0.5, {"old": 0, "new": 0})
    decision = http.post("/v1/decisions", json={"workflow": "rolls", "stage": "s"}).json()
    assert decision["details"]["rollout_share"] == 0.5
    assert decision["details"]["rollout_arm"] in (0.0, 1.0)
    assert http.post("/v1/feedback", json={"decision_id": decision["id"], "quality": 0.9}).is_success
    (seen,) = listed(http)["data"]
    arm = "new" if decision["details"]["rollout_arm"] else "old"
    assert seen["ratings"][arm] == 1
    assert seen["quality"][arm] == pytest.approx(0.9)
    assert -1.0 <= seen["interval"][0] <= seen["interval"][1] <= 1.0
    stopped = http.post(f"/v1/rollouts/{rolling['id']}/stop", json={"reason": "looks odd"})
    assert (stopped.status_code, stopped.json()["status"]) == (200, "rolled-back")
    after = http.post("/v1/decisions", json={"workflow": "rolls", "stage": "s"}).json()
    assert "rollout_share" not in after["details"]
    check_error(http.post(f"/v1/rollouts/{rolling['id']}/stop", json={"reason": "again"}), 409)


def test_a_yes_may_begin_a_rollout(http: TestClient) -> None:
    asked = ask(http, "both")
    told = http.post(f"/v1/approvals/{asked['id']}/approve").json()  # a yes needs no words
    assert (told["status"], told["share"], told["decided_by"]) == ("rolling", 0.05, "local")


def test_the_audit_log_says_who_when_what_and_why(http: TestClient, clock: ManualClock) -> None:
    asked = ask(http, "asks")
    clock.advance(1.0)
    http.post(f"/v1/approvals/{asked['id']}/approve", json={"reason": "go", "by": "ada"})
    clock.advance(1.0)
    ask(http, "rolls")
    log = http.get("/v1/changes").json()
    told = [(row["kind"], row["by"], row["status"], row["workflow"]) for row in log["data"]]
    assert told[0] == ("approval", "tiercel", "rolling", "rolls")
    assert set(told[1:3]) == {("approval", "ada", "approved", "asks"), ("tier_change", "tiercel", None, "asks")}
    assert told[3] == ("approval", "tiercel", "pending", "asks")
    assert {row["approval_id"] for row in log["data"] if row["workflow"] == "asks"} == {asked["id"], None}
    for limit in (1, 2, 3):  # two of them were made at one moment
        page = http.get("/v1/changes", params={"limit": limit}).json()
        pages = page["data"]
        while page["next_before"]:
            page = http.get("/v1/changes", params={"limit": limit, "before": page["next_before"]}).json()
            pages += page["data"]
        assert pages == log["data"]
    assert http.get("/v1/changes", params={"before": "0001-01-01T00:00:00Z"}).json()["data"] == []
    for query in ("?limit=0", "?before=yesterday", "?after=1"):
        check_error(http.get(f"/v1/changes{query}"), 422)


def test_while_the_store_is_away_no_answer_is_taken(http: TestClient, state: GatewayState) -> None:
    asked = ask(http, "asks")
    store = state.router.store
    assert isinstance(store, AwayStore)
    store.away = True
    http.post("/v1/decisions", json={"workflow": "asks", "stage": "s"})
    store.wait_until_noticed()
    answer = http.post(f"/v1/approvals/{asked['id']}/approve", json={})
    assert check_error(answer, 503)["code"] == "store_unavailable"
    store.away = False
