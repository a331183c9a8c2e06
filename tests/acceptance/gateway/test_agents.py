"""Agents over HTTP: heartbeats decide who is assigned a model, the operator's word wins, signals arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.in_process import AwayStore, client, gateway_settings, gateway_state
from tiercel.apps.gateway.state import GatewayState
from tiercel.domain.catalogue import Agent
from tiercel.domain.samples import SAMPLE_AGENTS
from tiercel.ports import Appended
from tiercel.testing import ManualClock

ONE, TWO, THREE = (agent.agent_id for agent in SAMPLE_AGENTS)
SLASHED = "team/a%b ü"


@pytest.fixture
def store() -> AwayStore:
    return AwayStore()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(store: AwayStore, clock: ManualClock) -> GatewayState:
    settings = gateway_settings(agents=[*SAMPLE_AGENTS, Agent(agent_id=SLASHED, status="offline")])
    return gateway_state(settings=settings, store=store, clock=clock)


@pytest.fixture
def http(state: GatewayState) -> Iterator[TestClient]:
    with client(state) as opened:
        yield opened


def beat(http: TestClient, agent_id: str, status: str = "running", **more: object) -> dict[str, Any]:
    answer = http.post(f"/v1/agents/{agent_id}/heartbeat", json={"status": status, **more})
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def agents(http: TestClient) -> dict[str, dict[str, Any]]:
    return {agent["agent_id"]: agent for agent in http.get("/v1/agents").json()["data"]}


def assigned(http: TestClient) -> list[str]:
    answer = http.post("/api/v1/model-router/auto-assign-all", json={"strategy": "greedy"}).json()
    return [assignment["agent_id"] for assignment in answer["assignments"]]


def test_a_heartbeat_is_shown_with_its_age(http: TestClient, clock: ManualClock) -> None:
    assert beat(http, ONE, progress=0.5, metadata={"host": "n1"}) == {
        "agent_id": ONE,
        "status": "online",
        "beat_every_s": 10.0,
        "ttl_s": 30.0,
    }
    clock.advance(12)
    shown = agents(http)[ONE]
    assert (shown["status"], shown["status_reason"], shown["configured_status"]) == ("online", "heartbeat", "online")
    assert shown["heartbeat"] == {
        "status": "running",
        "at": "2026-01-01T00:00:00+00:00",
        "age_s": 12.0,
        "progress": 0.5,
        "metadata": {"host": "n1"},
    }
    assert agents(http)[TWO]["heartbeat"] is None
    one = http.get(f"/v1/agents/{ONE}").json()
    assert one.items() >= {"agent_id": ONE, "status": "online", "assigned_model_id": None}.items()


def test_only_agents_that_are_online_now_are_assigned(http: TestClient, clock: ManualClock) -> None:
    beat(http, ONE)
    beat(http, SLASHED)
    assert assigned(http) == [ONE, TWO, THREE, SLASHED]
    clock.advance(31)
    beat(http, TWO, "completed")
    assert assigned(http) == [THREE], "one is silent, two has ended, three never said anything"
    assert http.get("/api/v1/model-router/stats").json()["online_agents"] == 1
    beat(http, ONE, "starting")
    http.post(f"/v1/agents/{THREE}", json={"status": "maintenance"})
    assert assigned(http) == [ONE]
    http.post(f"/v1/agents/{THREE}", json={"status": "online"})
    assert assigned(http) == [ONE, THREE]


def test_the_operators_word(http: TestClient) -> None:
    answer = http.post(f"/v1/agents/{ONE}", json={"status": "maintenance"})
    assert answer.status_code == 200
    assert answer.json().items() >= {"status": "maintenance", "status_reason": "operator", "durable": True}.items()
    assert beat(http, ONE)["status"] == "maintenance"
    assert http.post(f"/v1/agents/{ONE}", json={"status": "online"}).json()["status"] == "online"


def test_beats_are_taken_whatever_becomes_of_the_store(http: TestClient, store: AwayStore, state: GatewayState) -> None:
    store.away = True
    assert beat(http, ONE)["status"] == "online"
    answer = http.get("/v1/agents")
    assert (answer.status_code, answer.json()["data"][0]["status"]) == (200, "online")
    store.away = False
    state.router.attendance.step()
    assert [said.agent_id for said in store.presence.beats(state.router.learner.clock.now())] == [ONE]


def signal(http: TestClient, sender: str, name: str, **more: object) -> str:
    answer = http.post(f"/v1/agents/{sender}/signals", json={"name": name, **more})
    assert answer.status_code == 202, answer.text
    assert answer.json().items() >= {"from_agent": sender, "name": name, "durable": True}.items()
    signal_id: str = answer.json()["signal_id"]
    return signal_id


def test_signals_reach_whom_they_are_meant_for_once_and_in_order(http: TestClient) -> None:
    first = signal(http, ONE, "batch done", to_agent=TWO, payload={"rows": 7})
    second = signal(http, TWO, "pause")
    signal(http, ONE, "yours", to_agent=THREE)
    answer = http.get(f"/v1/agents/{TWO}/signals").json()
    assert [told["signal_id"] for told in answer["data"]] == [first, second]
    assert (answer["after"], answer["data"][1]["to_agent"]) == (second, None)
    assert answer["data"][0]["payload"] == {"rows": 7}
    again = http.get(f"/v1/agents/{TWO}/signals", params={"after": answer["after"]}).json()
    assert (again["data"], again["after"]) == ([], second)
    third = signal(http, SLASHED, "hello", to_agent=TWO)
    assert http.get(f"/v1/agents/{TWO}/signals", params={"after": second}).json()["after"] == third
    limited = http.get(f"/v1/agents/{TWO}/signals", params={"limit": 1}).json()
    assert limited["after"] == first


def test_signals_and_changes_of_status_are_told_to_who_listens(http: TestClient, state: GatewayState) -> None:
    heard: list[Appended] = []
    state.router.learner.subscribe(heard.append)
    stream = state.streams.new(("agent", "signal"))
    beat(http, SLASHED)
    state.router.attendance.step()
    signal(http, ONE, "batch done", payload={"rows": 7})
    state.router.learner.flush()
    for learned in heard:
        stream._feed.put(learned)
    lines, _ = stream._feed.take()
    text = lines.decode()
    assert "event: agent\n" in text
    assert '"current":"online"' in text
    assert '"reason":"heartbeat"' in text
    assert "event: signal\n" in text
    assert '"payload":{"rows":7}' in text


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("gpu_9/heartbeat", {"status": "running"}, 404, None),
        ("gpu_9", {"status": "online"}, 404, None),
        ("gpu_9/signals", {"name": "x"}, 404, None),
        (f"{ONE}/heartbeat", {}, 422, "status"),
        (f"{ONE}/heartbeat", {"status": "asleep"}, 422, "status"),
        (f"{ONE}/heartbeat", {"status": "running", "progress": 1.5}, 422, "progress"),
        (f"{ONE}/heartbeat", {"status": "running", "progress": "0.5"}, 422, "progress"),
        (f"{ONE}/heartbeat", {"status": "running", "load": 3}, 422, "load"),
        (f"{ONE}/heartbeat", {"status": "running", "metadata": {"x": "y" * 20_000}}, 413, "metadata"),
        (ONE, {"status": "offline"}, 422, "status"),
        (f"{ONE}/signals", {"name": ""}, 422, "name"),
        (f"{ONE}/signals", {"name": "x\r\ny"}, 422, "name"),
        (f"{ONE}/signals", {"name": "x", "to_agent": "gpu_9"}, 422, "to_agent"),
        (f"{ONE}/signals", {"name": "x", "payload": {"x": "y" * 20_000}}, 413, "payload"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    http: TestClient, path: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    answer = http.post(f"/v1/agents/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, field), answer.text


def test_other_methods_and_unknown_agents(http: TestClient) -> None:
    assert http.get(f"/v1/agents/{ONE}/heartbeat").status_code == 405
    assert http.get("/v1/agents/gpu_9").status_code == 404
    assert http.get("/v1/agents/gpu_9/signals").status_code == 404
    assert http.get(f"/v1/agents/{ONE}/signals", params={"limit": 0}).status_code == 422
