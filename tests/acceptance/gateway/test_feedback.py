"""Every form of feedback, late, repeated, revised, in lists, and while the store is away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.calls import LOOPED_CHAT, decide, rate, ratings
from support.in_process import AwayStore
from tiercel.apps.gateway import feedback
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.errors import BufferFull
from tiercel.testing import ManualClock


def away(state: GatewayState) -> AwayStore:
    store = state.router.store
    assert isinstance(store, AwayStore)
    return store


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
    answered = http.post("/v1/chat/completions", json=LOOPED_CHAT)
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
