"""A gateway with an outbox: what it acknowledges while its store is away is kept on disk, shown, and delivered."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.happenings import decision, outcome
from support.in_process import AwayStore, client, gateway_settings, gateway_state
from support.waiting import until
from tiercel.adapters.sqlite_store import SqliteOutbox
from tiercel.apps.gateway.state import GatewayState
from tiercel.config.settings import StoreSettings
from tiercel.core.statistics.fold import OVERALL

FIGURES = (
    "tiercel_store_up",
    "tiercel_outbox_events",
    "tiercel_outbox_kept_events_total",
    "tiercel_outbox_limit_events",
)


def gateway(path: Path, store: AwayStore, limit: int = 100) -> GatewayState:
    kept = StoreSettings(url="memory://", outbox=str(path), outbox_max_events=limit)
    return gateway_state(settings=gateway_settings(store=kept), store=store)


def rate(http: TestClient, name: str) -> tuple[int, dict[str, object]]:
    body = {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.5, "id": name}
    answer = http.post("/v1/feedback", json=body)
    return answer.status_code, answer.json()


def figures(http: TestClient) -> list[float]:
    told = dict(re.findall(r"^(tiercel_\w+) (\S+)$", http.get("/metrics").text, re.MULTILINE))
    return [float(told[name]) for name in FIGURES]


def test_what_is_acknowledged_is_on_disk_and_shown_and_gets_there(tmp_path: Path) -> None:
    store, path = AwayStore(), tmp_path / "outbox.db"
    with client(gateway(path, store)) as http:
        assert figures(http) == [1, 0, 0, 100]
        store.away = True
        assert rate(http, "f1") == (202, {"feedback_id": "f1", "buffered": True})
        assert path.exists()
        decided = http.post("/v1/decisions", json={"workflow": "w", "stage": "s"}).json()
        assert decided["degraded"] is True
        reported = http.post("/v1/outcomes", json={"decision_id": decided["id"], "success": True, "latency_ms": 5})
        assert (reported.status_code, reported.json()["buffered"]) == (202, True)
        assert figures(http) == [0, 3, 3, 100]
        health = http.get("/health").json()
        assert (health["status"], health["degraded"], health["store"]["kept"]) == ("ok", True, 3)
        assert http.get("/v1/stats").json()["store"]["kept"] == 3
        store.away = False
        until(lambda: figures(http) == [1, 0, 3, 100])
        assert rate(http, "f1")[0] == 200
        assert rate(http, "f2") == (202, {"feedback_id": "f2"})
    assert list(tmp_path.iterdir()) == []


def test_a_full_outbox_is_507(tmp_path: Path) -> None:
    store = AwayStore()
    with client(gateway(tmp_path / "outbox.db", store, limit=2)) as http:
        store.away = True
        assert [rate(http, name)[0] for name in ("f1", "f2", "f3")] == [202, 202, 507]
        assert http.get("/health").json()["store"] == {"buffered": 0, "kept": 2, "dropped": 1}
        store.away = False


def test_an_outbox_that_cannot_be_written_leaves_it_to_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel.apps.gateway.feedback.KEEP_S", 0.2)
    store = AwayStore()
    state = gateway(tmp_path / "none" / "outbox.db", store)
    with client(state) as http:
        store.away = True
        assert rate(http, "f1") == (202, {"feedback_id": "f1", "buffered": True})
        assert http.post("/v1/decisions", json={"workflow": "w", "stage": "s"}).status_code == 200
        status = state.router.learner.status()
        assert (status.kept, status.dropped, "none" in status.error) == (0, 0, True)
        store.away = False
        until(lambda: not state.router.learner.degraded)
        assert rate(http, "f1")[0] == 200


def test_a_gateway_starts_while_its_store_is_away_and_learns_when_it_is_back(tmp_path: Path) -> None:
    store, path = AwayStore(), tmp_path / "outbox.db"
    with closing(SqliteOutbox(path)) as outbox:  # a gateway before this one
        outbox.add([decision(1), outcome(1)])
    with client(gateway(path, store)) as http:
        until(lambda: figures(http)[0] == 1)
    store.away = True
    state = gateway(path, store)
    with client(state) as http:
        assert http.post("/v1/decisions", json={"workflow": "w", "stage": "s"}).json()["degraded"] is True
        assert http.get("/health").json()["degraded"] is True
        assert http.get("/ready").status_code == 503
        assert state.router.learner.knowledge.sums(OVERALL).requests == 0
        store.away = False
        until(lambda: not state.router.learner.degraded)
        assert state.router.learner.knowledge.sums(OVERALL).requests == 1
        assert http.get("/ready").status_code == 200


def test_a_decision_that_waits_is_found_and_can_be_rated_by_a_later_process(tmp_path: Path) -> None:
    store, path = AwayStore(), tmp_path / "outbox.db"
    with closing(SqliteOutbox(path)) as outbox:
        outbox.add([decision(1), outcome(1)])
    store.away = True
    state = gateway(path, store)
    with client(state) as http:
        rated = http.post("/v1/feedback", json={"decision_id": "dec_1", "quality": 0.5})
        assert (rated.status_code, rated.json().get("buffered")) == (202, True)
        assert len(http.get("/v1/decisions/dec_1").json()["outcomes"]) == 1
        assert http.post("/v1/feedback", json={"decision_id": "dec_2", "quality": 0.5}).status_code == 503
        store.away = False
        until(lambda: state.router.learner.knowledge.sums(OVERALL).ratings == 1)
