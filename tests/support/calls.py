"""The calls that take a body, and a client to try them with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.testclient import TestClient

CHAT = "/v1/chat/completions"
MODEL_ROUTER = "/api/v1/model-router"
MESSAGES = [{"role": "user", "content": "hi"}]
LIMIT = 64 * 1024

BODIES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST", CHAT): {"model": "auto", "messages": MESSAGES},
    ("POST", "/v1/feedback"): {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.5},
    ("POST", "/v1/decisions"): {"workflow": "w"},
    ("POST", "/v1/outcomes"): {"decision_id": "DECISION", "success": True, "latency_ms": 12.5},
    ("POST", f"{MODEL_ROUTER}/auto-assign-all"): {"strategy": "greedy"},
    ("POST", f"{MODEL_ROUTER}/auto-assign"): {"strategy": "greedy"},
    ("POST", f"{MODEL_ROUTER}/route"): {"workflow": "w"},
    ("PUT", f"{MODEL_ROUTER}/assignments/ASSIGNMENT"): {"model_id": "large"},
}
"""Everything that takes a body, with one that is good."""


class Caller:
    """A client with a decision and an assignment to speak of."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.decision_id = http.post("/v1/decisions", json={"workflow": "w"}).json()["id"]
        assigned = http.post(f"{MODEL_ROUTER}/auto-assign", json={"strategy": "greedy"}).json()
        self.assignment_id = assigned["assignments"][0]["assignment_id"]

    def send(self, method: str, path: str, raw: bytes, **headers: str) -> Any:  # noqa: ANN401 - httpx's response
        given = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.http.request(method, path.replace("ASSIGNMENT", self.assignment_id), content=raw, headers=given)

    def call(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401
        return self.send(method, path, json.dumps(body).replace("DECISION", self.decision_id).encode())


def check_error(answer: Any, status: int) -> dict[str, Any]:  # noqa: ANN401
    """The error of an answer, which has the shape OpenAI clients read."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["message"]
    return error


LOOPED_CHAT = {
    "model": "auto",
    "messages": [{"role": "user", "content": "hi"}],
    "metadata": {"workflow": "w", "stage": "s"},
}
"""A chat completion of the stage w/s."""


def decide(http: TestClient, **body: object) -> dict[str, Any]:
    """A decision."""
    answer = http.post("/v1/decisions", json=body)
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def rate(http: TestClient, body: object, status: int = 202) -> Any:  # noqa: ANN401 - JSON
    """Post feedback, which has to be answered so."""
    answer = http.post("/v1/feedback", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def ratings(http: TestClient, decision_id: str) -> list[dict[str, Any]]:
    """The feedback of a decision so far."""
    found: list[dict[str, Any]] = http.get(f"/v1/decisions/{decision_id}").json()["feedback"]
    return found
