from __future__ import annotations

import json
import logging

import pytest

from tiercel.apps.gateway.errors import HttpError, answer, invalid
from tiercel.domain import errors
from tiercel.domain.decision import Candidate, Decision, Proposal
from tiercel.domain.errors import Problem
from tiercel.services.calling.model_call import Attempt
from tiercel.services.completion import AllModelsFailed
from tiercel.testing import EPOCH

DECISION = Decision(
    id="dec_1",
    decided_at=EPOCH,
    segment=("stage", "w", "s"),
    policy="fixed",
    policy_version="1",
    model="m",
    tier="cheap",
    propensity=1.0,
    proposal=Proposal((Candidate("m", "cheap", 1.0),), "m", "because"),
)


def _failed(word: str) -> AllModelsFailed:
    return AllModelsFailed(DECISION, (Attempt("m", "status_500", 500), Attempt("n", word)))


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (HttpError(418, "teapot", "teapot"), 418, "invalid_request_error", "teapot"),
        (errors.InvalidInput([Problem("a.b", "must be", "x")]), 422, "invalid_request_error", "invalid_request"),
        (
            errors.InvalidInput([Problem("m", "too long", kind="limit")]),
            413,
            "invalid_request_error",
            "invalid_request",
        ),
        (errors.ConfigurationError([Problem("k", "is not set")]), 503, "server_error", "misconfigured"),
        (errors.UnknownModel("m"), 404, "not_found_error", "model_not_found"),
        (errors.UnknownDecision("d"), 404, "not_found_error", "not_found"),
        (errors.Conflict("f"), 409, "conflict_error", "conflict"),
        (errors.NoEligibleModel({"m": "too short"}), 503, "server_error", "no_eligible_model"),
        (errors.BufferFull(), 507, "server_error", "buffer_full"),
        (errors.StoreUnavailable(), 503, "server_error", "store_unavailable"),
        (errors.MissingDependency("scipy", "optimal", "it"), 501, "server_error", "missing_dependency"),
        (_failed("status_500"), 502, "server_error", "upstream_failed"),
        (_failed("timeout"), 504, "server_error", "upstream_timeout"),
        (KeyError("secret"), 500, "server_error", "internal_error"),
    ],
)
def test_every_error_has_an_answer(error: Exception, status: int, kind: str, code: str) -> None:
    answered = answer(error, "req_1")
    content = json.loads(answered.body)["error"]
    assert (answered.status, content["type"], content["code"]) == (status, kind, code)
    assert set(content) >= {"message", "type", "param", "code"}
    assert answered.headers["content-type"] == "application/json"
    if status in (429, 503, 507) and code != "misconfigured":
        assert int(answered.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (errors.BufferFull, "full"),
        (errors.StoreUnavailable, "away"),
        (errors.StoreCorrupt, "cannot be read"),
        (errors.PositionLost, "failed"),
        (errors.StoreError, "failed"),
    ],
)
def test_where_the_store_is_only_the_log_says(
    kind: type[errors.StoreError], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answered = answer(kind("/srv/secret/tiercel.db: no space left"), "req_7")
    assert b"secret" not in answered.body
    assert told in json.loads(answered.body)["error"]["message"]
    assert [record.getMessage() for record in caplog.records] == [
        "request req_7 failed in the store: /srv/secret/tiercel.db: no space left"
    ]


def test_all_problems_are_told_with_their_paths() -> None:
    refused = invalid([Problem("a", "must be a number", "'x'", "type"), Problem("", "must be more")])
    assert refused.message == "a: must be a number (found 'x'); must be more"
    assert refused.param == "a"
    content = json.loads(answer(refused, "r").body)["error"]
    assert content["details"][0] == {"path": "a", "message": "must be a number", "found": "'x'", "kind": "type"}


def test_very_many_problems_are_counted() -> None:
    refused = invalid([Problem(f"[{i}].quality", "is required") for i in range(5000)])
    assert refused.message.endswith("and 4990 more")
    assert len(answer(refused, "r").body) < 20_000


def test_the_reasons_of_no_eligible_model_are_told_one_by_one() -> None:
    content = json.loads(answer(errors.NoEligibleModel({"m": "too short", "n": "too dear"}), "r").body)["error"]
    assert [(d["path"], d["message"]) for d in content["details"]] == [("m", "too short"), ("n", "too dear")]


def test_a_summary_of_the_attempts_and_nothing_of_the_upstream() -> None:
    answered = answer(_failed("unreachable"), "r")
    assert "m: status_500, n: unreachable" in json.loads(answered.body)["error"]["message"]
    assert answered.headers["x-tiercel-decision-id"] == "dec_1"


def test_a_fault_of_ours_says_the_request_id_only_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answered = answer(RuntimeError("a path, a key"), "req_7")
    assert b"a path" not in answered.body
    assert b"req_7" in answered.body
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None
