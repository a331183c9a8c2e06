"""Signed webhooks, to a real server on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tiercel.adapters.webhook import Webhook, secret_bytes, signature
from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.errors import NotifyFailed
from tiercel.ports import Message, Tiding
from tiercel.testing import EPOCH

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ALERT = Alert(
    alert_id="alert_1",
    timestamp=EPOCH,
    severity=Severity.ERROR,
    alert_type=AlertType.HIGH_LATENCY,
    message="it is slow: é",
    model_id="small",
)
MESSAGE = Message("msg_1", "slow", "it is slow", "ERROR", EPOCH, (Tiding("fired", ALERT),))


@contextmanager
def server(status: int = 204) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """The address of a hook, and what it was sent."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            seen.append(({name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length)))
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/hook?token=hidden", seen
        running.shutdown()
        thread.join()


def test_the_signature_is_the_scheme_s() -> None:
    # the example of the scheme's own documentation
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_what_arrives_can_be_verified() -> None:
    with server() as (url, seen), closing(Webhook(url, SECRET)) as hook:
        hook.send(MESSAGE)
    ((headers, body),) = seen
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert (headers["webhook-id"], headers["content-type"]) == ("msg_1", "application/json")
    assert int(headers["webhook-timestamp"]) == EPOCH.timestamp()
    said = json.loads(body)
    assert (said["type"], said["data"]["severity"]) == ("alert.fired", "ERROR")
    (incident,) = said["data"]["incidents"]
    assert incident["alert"]["message"] == "it is slow: é"


@pytest.mark.parametrize("status", [302, 400, 410, 500, 503])
def test_what_is_no_success_is_told_without_the_address(status: int) -> None:
    with server(status) as (url, seen), closing(Webhook(url, SECRET)) as hook:
        with pytest.raises(NotifyFailed) as failure:
            hook.send(MESSAGE)
        assert failure.value.word == f"status_{status}"
        assert "hidden" not in str(failure.value)
        assert len(seen) == 1


def test_nobody_there() -> None:
    with server() as (url, _):
        pass
    with closing(Webhook(url, SECRET)) as hook, pytest.raises(NotifyFailed) as failure:
        hook.send(MESSAGE)
    assert failure.value.word in ("unreachable", "broken")
    assert failure.value.__cause__ is None
    assert "hidden" not in str(failure.value)


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("not an address", SECRET, "holds no address"),
        ("ftp://127.0.0.1/hidden", SECRET, "holds no address"),
        ("http://127.0.0.1/", "whsec_%%%", "is no base64"),
        ("http://127.0.0.1/", "hidden", "holds 6 bytes; a key has at least 24"),
        ("http://127.0.0.1/", "whsec_aGlkZGVu", "holds 6 bytes"),
    ],
)
def test_what_is_no_hook_is_refused_without_being_shown(url: str, secret: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        Webhook(url, secret)
    assert "hidden" not in str(error.value)


def test_text_of_one_s_own_is_a_key() -> None:
    assert secret_bytes("correct horse battery staple") == b"correct horse battery staple"
