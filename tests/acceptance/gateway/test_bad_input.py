"""The table "Bad input" of the reliability specification, for every endpoint: bodies, heads, methods and paths."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.calls import BODIES, CHAT, LIMIT, Caller, check_error
from tiercel.apps.gateway.endpoints import RESOURCES

TAKING = pytest.mark.parametrize(("method", "path"), list(BODIES), ids=lambda part: part.rpartition("/")[2])


@TAKING
def test_the_good_body_is_good(caller: Caller, method: str, path: str) -> None:
    assert caller.call(method, path, BODIES[method, path]).status_code in (200, 202)


@TAKING
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b'{"a": 1} trailing',
        b'{"model": "auto", "model": "auto"}',
        b'{"quality": NaN}',
        b'{"quality": 1e999}',
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b'{"a": "\xff"}',
        b'{"workflow": "\\ud800"}',
    ],
    ids=["empty", "words", "trailing", "duplicate", "nan", "infinite", "deep", "utf8", "surrogate"],
)
def test_not_json_is_400(caller: Caller, method: str, path: str, raw: bytes) -> None:
    assert check_error(caller.send(method, path, raw), 400)["code"] == "invalid_json"


@TAKING
@pytest.mark.parametrize("body", [None, 5, "text", True, 0.5, [], [1], {}])
def test_a_body_of_another_shape_is_422(caller: Caller, method: str, path: str, body: object) -> None:
    answer = caller.call(method, path, body)
    if body == {} and path.endswith(("/decisions", "/route")):
        assert answer.status_code == 200, "a decision needs no context"
        return
    check_error(answer, 422)


@TAKING
def test_a_body_beyond_the_limit_is_413_and_the_connection_closes(caller: Caller, method: str, path: str) -> None:
    answer = caller.send(method, path, b" " * (LIMIT + 1))
    check_error(answer, 413)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", [CHAT, "/v1/feedback", "/health", "/nothing"])
def test_headers_beyond_the_limit_are_431(caller: Caller, path: str) -> None:
    answer = caller.send("POST" if path.startswith("/v1") else "GET", path, b"{}", x_large="a" * 70_000)
    check_error(answer, 431)


@TAKING
@pytest.mark.parametrize(
    "headers", [{"content_type": "text/plain"}, {"content_type": ""}, {"content_encoding": "gzip"}], ids=str
)
def test_another_content_type_or_encoding_is_415(
    caller: Caller, method: str, path: str, headers: dict[str, str]
) -> None:
    check_error(caller.send(method, path, b"{}", **headers), 415)


ALLOWED = {**{path: set(methods) for path, methods in RESOURCES.items()}, CHAT: {"POST"}}


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path in ALLOWED for method in METHODS if method not in ALLOWED[path]]
)
def test_another_method_is_405_with_those_allowed(caller: Caller, path: str, method: str) -> None:
    allowed = ALLOWED[path] | ({"HEAD"} if "GET" in ALLOWED[path] else set())
    answer = caller.http.request(method, path.replace("{", "").replace("}", "").replace(":path", ""))
    check_error(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/", "/v1/models/", "/v1/decisions/a/b", "/HEALTH", "/%2e%2e/etc"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path_is_404(caller: Caller, path: str, method: str) -> None:
    answer = caller.http.request(method, path)
    assert answer.status_code in (404, 405 if path == "/v1/models/" else 404)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@TAKING
def test_nothing_that_arrives_is_a_fault_of_ours(caller: Caller, method: str, path: str, data: st.DataObject) -> None:
    good = BODIES[method, path]
    fields = st.sampled_from([*good, "metadata", "source", "requires", "models", "timestamp", "id", "prompt_tokens"])
    changes = data.draw(st.dictionaries(fields, JSON_VALUES, max_size=3))
    body = data.draw(st.sampled_from([{**good, **changes}, changes]) | JSON_VALUES)
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    assert caller.send(method, path, raw).status_code < 500
