"""The table "Bad input" of the reliability specification, for every endpoint: fields, names, parameters, metadata."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.calls import BODIES, CHAT, MODEL_ROUTER, Caller, check_error
from tiercel.domain.names import name_problem

TAKING = pytest.mark.parametrize(("method", "path"), list(BODIES), ids=lambda part: part.rpartition("/")[2])


QUALITIES: list[object] = [-0.1, 1.5, True, "0.8", None, [], 10**400]
NO_MESSAGES: list[object] = [..., None, "hi", [], {}]
WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    *(("POST", "/v1/feedback", {"quality": q}, "quality") for q in QUALITIES),
    *(("POST", "/v1/feedback", {"quality": ..., "stars": s}, "stars") for s in (0, 6, 2.5, "3", None, True)),
    *(("POST", "/v1/feedback", {"quality": ..., "passed": p}, "passed") for p in (1, "yes", None)),
    ("POST", "/v1/feedback", {"quality": ...}, "quality"),
    ("POST", "/v1/feedback", {"passed": True}, "passed"),
    ("POST", "/v1/feedback", {"decision_id": "d"}, "workflow"),
    ("POST", "/v1/feedback", {"workflow": ...}, "workflow"),
    ("POST", "/v1/feedback", {"stage": ...}, "stage"),
    ("POST", "/v1/feedback", {"tier": ...}, "tier"),
    ("POST", "/v1/feedback", {"model": "small"}, "tier"),
    ("POST", "/v1/feedback", {"metadata": []}, "metadata"),
    ("POST", "/v1/feedback", {"metadata": None}, "metadata"),
    *(("POST", "/v1/feedback", {"timestamp": t}, "timestamp") for t in ("now", 5, "0001-01-01T00:00+14:00")),
    ("POST", "/v1/outcomes", {"decision_id": ...}, "decision_id"),
    ("POST", "/v1/outcomes", {"success": ...}, "success"),
    *(("POST", "/v1/outcomes", {"success": s}, "success") for s in (1, "true", None)),
    *(("POST", "/v1/outcomes", {"latency_ms": ms}, "latency_ms") for ms in (-1, "12", None, True, 10**400, 1e300)),
    *(("POST", "/v1/outcomes", {"prompt_tokens": n}, "prompt_tokens") for n in (-1, 1.5, "7", True, 10**30)),
    *(("POST", "/v1/outcomes", {"cost_usd": c}, "cost_usd") for c in (-0.1, "1", True, 1e300)),
    *(("POST", "/v1/decisions", {"requires": r}, "requires") for r in (7, {"coding": 1}, [1], [""], None)),
    ("POST", "/v1/decisions", {"require_all": "yes"}, "require_all"),
    ("POST", "/v1/decisions", {"prompt": 5}, "prompt"),
    *(("POST", "/v1/decisions", {"prompt_tokens": n}, "prompt_tokens") for n in (-1, 0.5, None)),
    *(("POST", CHAT, {"model": m}, "model") for m in (..., None, 5, "", ["auto"])),
    *(("POST", CHAT, {"messages": m}, "messages") for m in NO_MESSAGES),
    *(("POST", CHAT, {"messages": [m]}, "messages[0]") for m in ("hi", None, {}, {"role": 5})),
    ("POST", CHAT, {"stream": "yes"}, "stream"),
    *(("POST", CHAT, {"metadata": m}, "metadata") for m in ("x", [1], 7)),
    ("POST", CHAT, {"metadata": {"workflow": 5}}, "metadata.workflow"),
    ("POST", f"{MODEL_ROUTER}/auto-assign-all", {"strategy": ...}, "strategy"),
    *(("POST", f"{MODEL_ROUTER}/auto-assign-all", {"capacity": c}, "capacity") for c in (-1, 1.5, "1", True)),
    ("PUT", f"{MODEL_ROUTER}/assignments/ASSIGNMENT", {"model_id": ...}, "model_id"),
    ("PUT", f"{MODEL_ROUTER}/assignments/ASSIGNMENT", {"model_id": 5}, "model_id"),
]


@pytest.mark.parametrize(("method", "path", "change", "param"), WRONG)
def test_a_wrong_or_missing_field_is_422_with_its_path(
    caller: Caller, method: str, path: str, change: dict[str, Any], param: str
) -> None:
    body = {**BODIES[method, path], **change}
    answer = caller.call(method, path, {name: value for name, value in body.items() if value is not ...})
    error = check_error(answer, 422)
    assert param in [detail["path"] for detail in error["details"]]


def test_the_fields_of_a_list_have_their_place_in_their_path(caller: Caller) -> None:
    good = BODIES["POST", "/v1/feedback"]
    error = check_error(caller.call("POST", "/v1/feedback", [good, {**good, "quality": 2}, 5, {**good, "z": 1}]), 422)
    assert [detail["path"] for detail in error["details"]] == ["[1].quality", "[2]", "[3].z"]


@pytest.mark.parametrize(
    ("method", "path", "change", "allowed"),
    [
        ("POST", "/v1/feedback", {"tier": "chep"}, ["cheap", "capable", "premium"]),
        (
            "POST",
            f"{MODEL_ROUTER}/auto-assign-all",
            {"strategy": "best"},
            ["greedy", "balanced", "optimal", "adaptive", "load_aware"],
        ),
        ("GET", f"{MODEL_ROUTER}/performance?time_range=last_year", {}, ["last_hour", "last_24_hours", "last_30_days"]),
        ("GET", "/v1/stats?time_range=", {}, ["last_hour", "last_7_days"]),
        ("GET", "/v1/recommendations?workflow=w&stage=s&current_tier=x", {}, ["cheap", "capable", "premium"]),
        ("GET", f"{MODEL_ROUTER}/assignments?status=gone", {}, ["active", "removed"]),
        ("GET", f"{MODEL_ROUTER}/alerts?severity=BAD", {}, ["INFO", "WARNING", "ERROR", "CRITICAL"]),
        ("GET", "/v1/alerts?status=open", {}, ["active", "resolved"]),
        ("GET", "/v1/events?kinds=decision,rumour", {}, ["decision", "outcome", "feedback", "tier_change", "alert"]),
    ],
)
def test_an_unknown_word_is_422_with_the_allowed_ones(
    caller: Caller, method: str, path: str, change: dict[str, Any], allowed: list[str]
) -> None:
    answer = caller.http.get(path) if method == "GET" else caller.call(method, path, {**BODIES[method, path], **change})
    message = check_error(answer, 422)["message"]
    assert all(word in message for word in allowed)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/decisions?limit=0", "limit"),
        ("/v1/decisions?limit=1001", "limit"),
        ("/v1/decisions?limit=ten", "limit"),
        ("/v1/decisions?limit=1_0", "limit"),
        ("/v1/decisions?limit=1.0", "limit"),
        ("/v1/decisions?limit=" + "9" * 5000, "limit"),
        ("/v1/decisions?limit=1&limit=2", "limit"),
        ("/v1/decisions?limits=1", "limits"),
        ("/v1/underperforming?quality_threshold=1.5", "quality_threshold"),
        ("/v1/underperforming?quality_threshold=nan", "quality_threshold"),
        ("/v1/recommendations?stage=s", "workflow"),
        ("/v1/recommendations?workflow=", "workflow"),
        ("/v1/recommendations?workflow=a%00b", "workflow"),
        ("/v1/stats?workflow=w", "stage"),
        (f"{MODEL_ROUTER}/assignments?page=0", "page"),
        (f"{MODEL_ROUTER}/assignments?page_size=-1", "page_size"),
        (f"{MODEL_ROUTER}/stats?x=1", "x"),
    ],
)
def test_a_wrong_parameter_is_422_with_its_name(caller: Caller, path: str, param: str) -> None:
    assert check_error(caller.http.get(path), 422)["param"] == param


@TAKING
def test_an_unknown_field_is_passed_on_by_the_openai_endpoint_and_refused_by_ours(
    caller: Caller, method: str, path: str
) -> None:
    answer = caller.call(method, path, {**BODIES[method, path], "x_own": {"deep": [1]}})
    if path == CHAT:
        assert answer.status_code == 200
    else:
        assert check_error(answer, 422)["param"] == "x_own"


@pytest.mark.parametrize("name", ["", "x" * 257, "\u20ac" * 86, "a\nb", "a\x00", "\x7f", "a\x85b"])
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/feedback", "workflow"),
        ("/v1/feedback", "stage"),
        ("/v1/feedback", "source"),
        ("/v1/feedback", "id"),
        ("/v1/decisions", "workflow"),
        ("/v1/decisions", "stage"),
        ("/v1/decisions", "agent_id"),
        ("/v1/decisions", "session_id"),
        (f"{MODEL_ROUTER}/route", "workflow"),
        ("/v1/outcomes", "error"),
        ("/v1/outcomes", "completion_id"),
        (CHAT, "metadata.workflow"),
        (CHAT, "metadata.agent_id"),
    ],
)
def test_a_name_that_cannot_be_is_422(caller: Caller, path: str, field: str, name: str) -> None:
    place, _, inner = field.partition(".")
    body = {**BODIES["POST", path], place: {inner: name} if inner else name}
    assert check_error(caller.call("POST", path, body), 422)["param"] == field


NAMES = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: name_problem("", name) is None)


@given(
    name=NAMES
    | st.sampled_from(["*", "a/b:c", "../..", "' OR 1=1 --", "<script>", "%s{0}", "\u202e", " ", "\U0001f600"])
)
def test_any_other_name_is_accepted_and_returned_unchanged(caller: Caller, name: str) -> None:
    body = {"workflow": name, "stage": name, "agent_id": name, "session_id": name}
    decision = caller.http.post("/v1/decisions", content=json.dumps(body), headers={"content-type": "application/json"})
    assert {field: decision.json()[field] for field in body} == body
    stage = caller.http.get("/v1/recommendations", params={"workflow": name, "stage": name}).json()["data"]
    assert [(entry["workflow"], entry["stage"]) for entry in stage] == [(name, name)]


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"k": "x" * (16 * 1024)}, 413),
        ({f"k{i}": 1 for i in range(65)}, 422),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}}, 422),
    ],
    ids=["bytes", "keys", "levels"],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/feedback"])
def test_metadata_beyond_its_limits(caller: Caller, path: str, metadata: dict[str, Any], status: int) -> None:
    answer = caller.call("POST", path, {**BODIES["POST", path], "metadata": metadata})
    assert check_error(answer, status)["param"] == "metadata"


@pytest.mark.parametrize("features", [{"urgency": "high"}, {"": 1.0}, [1.0], {f"f{i}": 0.0 for i in range(65)}])
def test_figures_of_a_decision_are_numbers_by_name(caller: Caller, features: object) -> None:
    answer = caller.call("POST", "/v1/decisions", {"workflow": "w", "features": features})
    assert answer.status_code == 422
    assert "features" in answer.text


def test_a_decision_keeps_the_callers_figures(caller: Caller) -> None:
    answer = caller.call("POST", "/v1/decisions", {"workflow": "w", "features": {"urgency": 1.5}})
    assert answer.json()["features"] == {"urgency": 1.5}
