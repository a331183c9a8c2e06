"""What only a real server shows: connections that close, streams that end, a gateway that stops."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from support.servers import Gateway, gateway, get, post

MODELS = [("ok", "cheap"), ("ok-best", "premium")]
LIMIT = 100_000
JSON_HERE = "host: localhost\r\ncontent-type: application/json"
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway"), MODELS, f"[server]\nmax_body_bytes = {LIMIT}") as started:
        yield started


@contextmanager
def connected(served: Gateway) -> Iterator[socket.socket]:
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_body_announced_too_long_is_413_and_closes_without_the_rest_being_read(served: Gateway) -> None:
    with connected(served) as connection:
        head = f"POST /v1/feedback HTTP/1.1\r\n{JSON_HERE}\r\ncontent-length: {LIMIT + 1}"
        connection.sendall(head.encode() + b"\r\n\r\n{")
        answer = read_to_the_end(connection)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_goes_on_too_long_is_413_and_closes(served: Gateway) -> None:
    with connected(served) as connection:
        head = f"POST /v1/decisions HTTP/1.1\r\n{JSON_HERE}\r\ntransfer-encoding: chunked"
        connection.sendall(head.encode() + b"\r\n\r\n")
        chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
        with_rest_unread = False
        try:
            for _ in range(2000):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            with_rest_unread = True
        assert with_rest_unread


@pytest.mark.parametrize("path", ["/health", "/v1/chat/completions", "/nothing"])
def test_headers_too_long_are_431_and_close(served: Gateway, path: str) -> None:
    with connected(served) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nx-large: {'a' * 80_000}\r\n\r\n".encode())
        answer = read_to_the_end(connection)
    assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/metrics", "/", "/v1/events"])
def test_head_has_no_body(served: Gateway, path: str) -> None:
    with connected(served) as connection:
        connection.sendall(f"HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        answer = read_to_the_end(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_who_sends_no_host_is_no_browser_and_is_answered(served: Gateway, version: str) -> None:
    with connected(served) as connection:
        connection.sendall(f"GET /health HTTP/{version}\r\nconnection: close\r\n\r\n".encode())
        answer = read_to_the_end(connection)
    assert answer.partition(b" ")[2].startswith(b"200")


def test_events_come_as_they_happen_and_the_stream_ends_with_its_listener(served: Gateway) -> None:
    with connected(served) as connection:
        connection.sendall(b"GET /v1/events?kinds=feedback HTTP/1.1\r\nhost: localhost\r\n\r\n")
        told = connection.recv(65536)
        while b": tiercel's events" not in told:
            told += connection.recv(65536)
        assert _streams(served) == 1
        status, _ = post(f"{served.url}/v1/feedback", {"workflow": "w", "stage": "s", "tier": "cheap", "quality": 0.5})
        assert status == 202
        while b"event: feedback" not in told:
            told += connection.recv(65536)
    deadline = time.monotonic() + 10
    while _streams(served) and time.monotonic() < deadline:
        post(f"{served.url}/v1/decisions", {})
    assert _streams(served) == 0


def _streams(served: Gateway) -> int:
    address = urlsplit(served.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(text.partition("\ntiercel_event_streams ")[2].partition("\n")[0])


def test_a_gateway_that_is_told_to_stop_ends_its_streams_and_keeps_what_it_was_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("stopping")
    with gateway(folder, MODELS) as stopping:
        decided = post(f"{stopping.url}/v1/decisions", {"workflow": "w"})[1]
        with connected(stopping) as connection:
            connection.sendall(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert connection.recv(65536)
            began = time.monotonic()
            stopping.process.send_signal(signal.SIGTERM)
            read_to_the_end(connection)
            stopping.process.wait(20)
            took_s = time.monotonic() - began
    assert took_s < 8, "streams of events must not hold up a stop"
    with gateway(folder, MODELS) as again:
        assert get(f"{again.url}/v1/decisions/{decided['id']}")["workflow"] == "w"


def test_a_gateway_that_is_told_to_stop_ends_a_stream_that_hangs_and_keeps_its_outcome(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("hanging")
    models = [("hang", "cheap")]
    with gateway(folder, models) as stopping:
        body = json.dumps({**CHAT, "stream": True}).encode()
        with connected(stopping) as connection:
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            begun = connection.recv(65536)
            stopping.process.send_signal(signal.SIGINT)
            rest = read_to_the_end(connection)
        stopping.process.wait(20)
    assert b'"code": "stopping"' in rest
    decision_id = begun.partition(b"x-tiercel-decision-id: ")[2].partition(b"\r\n")[0].decode()
    with gateway(folder, models) as again:
        outcomes = get(f"{again.url}/v1/decisions/{decision_id}")["outcomes"]
        assert [outcome["error"] for outcome in outcomes] == ["client_left"]


def test_the_answer_to_a_request_sent_by_hand(served: Gateway) -> None:
    body = json.dumps(CHAT).encode()
    with connected(served) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\n{JSON_HERE}\r\nconnection: close\r\n"
        connection.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        answer = read_to_the_end(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.lower().count(b"content-length:") == 1
    assert b"transfer-encoding" not in answer.lower()
