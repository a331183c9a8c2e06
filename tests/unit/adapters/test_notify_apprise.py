"""apprise, to a real server on this machine through its own json:// service."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tiercel.adapters.notify_apprise import AppriseNotifier
from tiercel.bootstrap import build_outlets
from tiercel.config.notify import NotifySettings
from tiercel.config.settings import Settings
from tiercel.domain.alerts import Alert, AlertType, Severity
from tiercel.domain.errors import ConfigurationError, MissingDependency, NotifyFailed
from tiercel.ports import Message, Tiding
from tiercel.testing import EPOCH

# a module that apprise looks for when it is loaded
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ALERT = Alert(
    alert_id="a", timestamp=EPOCH, severity=Severity.ERROR, alert_type=AlertType.HIGH_LATENCY, message="it is slow"
)
FIRED = Message("msg_1", "title", "body", "ERROR", EPOCH, (Tiding("fired", ALERT),))


@contextmanager
def service(status: int = 200) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a service in apprise's words, and what it was told."""
    told: list[dict[str, str]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"json://user:hidden@127.0.0.1:{running.server_address[1]}/hidden", told
        running.shutdown()
        thread.join()


def test_a_message_arrives_as_bad_as_it_is() -> None:
    with service() as (url, told):
        notifier = AppriseNotifier(url)
        notifier.send(FIRED)
        notifier.send(replace(FIRED, tidings=(Tiding("resolved", ALERT),)))
        notifier.close()
    assert [(one["title"], one["message"], one["type"]) for one in told] == [
        ("title", "body", "failure"),
        ("title", "body", "success"),
    ]


def test_a_refusal_is_told_and_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with service(500) as (url, _), caplog.at_level(logging.DEBUG):
        notifier = AppriseNotifier(url)
        with pytest.raises(NotifyFailed) as failure:
            notifier.send(FIRED)
    assert failure.value.word == "refused"
    assert "hidden" not in caplog.text + str(failure.value)


def settings(**fields: str) -> Settings:
    return Settings(notify=(NotifySettings(name="chat", **fields),))  # type: ignore[arg-type]


def test_every_way_is_built_from_what_the_variables_hold() -> None:
    environment = {"CHAT": "json://127.0.0.1:9/", "HOOK": "http://127.0.0.1:9/", "KEY": "k" * 32}
    both = Settings(
        notify=(
            NotifySettings(name="chat", url_env="CHAT"),
            NotifySettings(name="hook", webhook_env="HOOK", secret_env="KEY"),
        )
    )
    outlets = build_outlets(both, environment)
    assert [(outlet.channel.name, type(outlet.notifier).__name__) for outlet in outlets] == [
        ("chat", "AppriseNotifier"),
        ("hook", "Webhook"),
    ]
    for outlet in outlets:
        outlet.notifier.close()


@pytest.mark.parametrize(
    ("fields", "environment", "said"),
    [
        ({"url_env": "CHAT"}, {}, "notify[0].url_env: the environment variable CHAT is not set"),
        ({"url_env": "CHAT"}, {"CHAT": "hidden"}, "the variable CHAT holds no address that apprise can read"),
        ({"webhook_env": "HOOK", "secret_env": "KEY"}, {"HOOK": "hidden", "KEY": "k" * 24}, "holds no address"),
        ({"webhook_env": "HOOK", "secret_env": "KEY"}, {"HOOK": "http://h/", "KEY": "hidden"}, "at least 24"),
    ],
)
def test_what_a_variable_holds_is_never_shown(fields: dict[str, str], environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        build_outlets(settings(**fields), environment)
    assert said in str(error.value)
    assert "hidden" not in str(error.value)


def test_without_apprise_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "tiercel.adapters.notify_apprise", raising=False)
    with pytest.raises(MissingDependency, match=r"pip install 'tiercel\[notify\]'"):
        build_outlets(settings(url_env="CHAT"), {"CHAT": "json://127.0.0.1:9/"})
